"""The journal: group commits, unique ids, exclusive access, and failure handling."""

import sqlite3
from pathlib import Path

import pytest

from signalbox_devstack.emulators.pubsub.journal import (
    IDS_PER_RESERVATION,
    SCHEMA_VERSION,
    SqliteJournal,
    UnusableData,
)

INSERT = "INSERT INTO topics VALUES(?, ?)"


def opened(path: Path) -> SqliteJournal:
    failures: list[sqlite3.Error] = []
    return SqliteJournal(path, failures.append)


async def test_committed_rows_survive_a_reopen(tmp_path: Path) -> None:
    journal = opened(tmp_path / "d")
    journal.write(INSERT, ("a", b"1"), ("b", b"2"))
    await journal.committed()
    journal.close()

    assert opened(tmp_path / "d").rows("SELECT name, wire FROM topics") == [("a", b"1"), ("b", b"2")]


async def test_an_uncommitted_write_is_not_visible_in_the_file(tmp_path: Path) -> None:
    journal = opened(tmp_path / "d")
    journal.write(INSERT, ("a", b"1"))

    assert journal.rows("SELECT name FROM topics") == []
    await journal.committed()
    assert journal.rows("SELECT name FROM topics") == [("a",)]


async def test_ids_are_unique_across_reopens(tmp_path: Path) -> None:
    last = 0
    for _ in range(3):
        journal = opened(tmp_path / "d")
        ids = [journal.new_id() for _ in range(IDS_PER_RESERVATION + 1)]
        await journal.committed()
        journal.close()
        assert ids[0] > last
        assert ids == list(range(ids[0], ids[0] + len(ids)))
        last = ids[-1]


async def test_a_second_server_on_the_same_file_is_rejected(tmp_path: Path) -> None:
    journal = opened(tmp_path / "d")

    with pytest.raises(UnusableData, match="in use by another server"):
        opened(tmp_path / "d")
    journal.close()


async def test_a_file_with_another_schema_is_rejected(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "d") as database:
        database.execute(f"PRAGMA user_version={SCHEMA_VERSION + 1}")
    database.close()

    with pytest.raises(UnusableData, match="move the file away"):
        opened(tmp_path / "d")


async def test_a_failed_commit_is_reported_and_confirms_nothing(tmp_path: Path) -> None:
    failures: list[sqlite3.Error] = []
    journal = SqliteJournal(tmp_path / "d", failures.append)
    await journal.committed()
    journal.write("INSERT INTO missing VALUES(?)", (1,))

    journal.flush()

    assert "missing" in str(failures[0])
