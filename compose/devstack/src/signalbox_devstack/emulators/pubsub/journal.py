"""The journal: one SQLite file in WAL mode, written in group commits.

With `synchronous=NORMAL` a commit is written to the file before the Publish response, so kill -9 of this
process
loses nothing. Only a power failure or kernel crash can lose the latest commits. FULL would prevent that at
the
price of one fsync per commit, which a development server does not need.
"""

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from signalbox_core.errors import InvalidInput

Row = Sequence[str | bytes | int | float]

SCHEMA_VERSION: Final = 1
IDS_PER_RESERVATION: Final = 10_000
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS counters(name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS topics(name TEXT PRIMARY KEY, wire BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS subscriptions(name TEXT PRIMARY KEY, number INTEGER NOT NULL, wire BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS snapshots(name TEXT PRIMARY KEY, wire BLOB NOT NULL, backlog TEXT NOT NULL,
    since INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS messages(number INTEGER PRIMARY KEY, topic TEXT NOT NULL, published_s REAL NOT
NULL,
    wire BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS deliveries(subscription INTEGER, message INTEGER, failures INTEGER NOT NULL,
    acked INTEGER NOT NULL, PRIMARY KEY(subscription, message)) WITHOUT ROWID;
"""


class UnusableData(InvalidInput):
    """The data file cannot be used."""


class SqliteJournal:
    """Statements queued in one iteration of the event loop are committed together in the next.

    The commit is scheduled before any consumer is woken, so it precedes the delivery: callbacks run in order.
    """

    def __init__(self, path: Path, on_failure: Callable[[sqlite3.Error], None]) -> None:
        self._database = _open(path)
        self._on_failure = on_failure
        self._queued: list[tuple[str, Sequence[Row]]] = []
        self._commit: asyncio.Future[None] | None = None
        self._next_id = self._reserved = self._counter("message_ids")
        self.boot = self._counter("boots") + 1
        self.write("INSERT OR REPLACE INTO counters VALUES('boots', ?)", (self.boot,))

    def write(self, statement: str, *rows: Row) -> None:
        """Queue one statement, to be executed for each of `rows`."""
        if not rows:
            return
        self._queued.append((statement, rows))
        if self._commit is None:
            loop = asyncio.get_running_loop()
            self._commit = loop.create_future()
            loop.call_soon(self.flush)

    async def committed(self) -> None:
        """Wait until everything queued so far is committed."""
        if self._commit is not None:
            await asyncio.shield(self._commit)

    def flush(self) -> None:
        """Commit everything that is queued."""
        commit, self._commit = self._commit, None
        queued, self._queued = self._queued, []
        try:
            self._database.execute("BEGIN")
            for statement, rows in queued:
                self._database.executemany(statement, rows)
            self._database.execute("COMMIT")
        except sqlite3.Error as error:
            # Memory is now ahead of the file, so no response can be trusted any more and the server stops.
            self._on_failure(error)
        else:
            if commit is not None and not commit.done():
                commit.set_result(None)

    def new_id(self) -> int:
        """An id that no process has used before: blocks of ids are reserved in the file first."""
        if self._next_id == self._reserved:
            self._reserved += IDS_PER_RESERVATION
            self.write("INSERT OR REPLACE INTO counters VALUES('message_ids', ?)", (self._reserved,))
        self._next_id += 1
        return self._next_id

    def rows(self, query: str) -> list[tuple[str | bytes | int | float, ...]]:
        """Read rows at startup, before anything is written."""
        return self._database.execute(query).fetchall()

    def close(self) -> None:
        if self._queued:
            self.flush()
        self._database.close()

    def _counter(self, name: str) -> int:
        row = self._database.execute("SELECT value FROM counters WHERE name = ?", (name,)).fetchone()
        return int(row[0]) if row else 0


def _open(path: Path) -> sqlite3.Connection:
    """Open the file exclusively. The lock excludes a second server and is released when the process exits."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        database = sqlite3.connect(path, isolation_level=None, timeout=0.5, cached_statements=64)
        database.execute("PRAGMA locking_mode=EXCLUSIVE")
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("PRAGMA synchronous=NORMAL")
        version = int(database.execute("PRAGMA user_version").fetchone()[0])
        if version not in (0, SCHEMA_VERSION):
            raise UnusableData(
                f"data file {path} has schema {version}, this server needs {SCHEMA_VERSION}: move the file "
                "away"
            )
        database.executescript(f"BEGIN EXCLUSIVE; {_SCHEMA} PRAGMA user_version={SCHEMA_VERSION}; COMMIT;")
    except sqlite3.OperationalError as error:
        if "locked" in str(error):
            raise UnusableData(
                f"data file {path} is in use by another server: stop that server or use another file"
            ) from None
        raise UnusableData(f"data file {path} cannot be opened: {error}") from None
    except (sqlite3.DatabaseError, OSError) as error:
        raise UnusableData(
            f"data file {path} cannot be used ({error}): move it away or use another file"
        ) from None
    return database
