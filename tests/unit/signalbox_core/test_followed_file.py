"""A file's value follows the file; a bad version of it changes nothing and is reported once."""

import errno
import logging
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from signalbox_core.errors import InvalidInput
from signalbox_core.process.followed_file import FollowedFile


def load(path: Path) -> int:
    try:
        return int(path.read_text())
    except (OSError, ValueError) as error:
        raise InvalidInput(f"{path.name}: {error}") from None


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return write(tmp_path / "number", "1")


def write(path: Path, text: str) -> Path:
    """Replace the file, so that its stamp differs."""
    other = path.with_name("other")
    other.write_text(text)
    return other.replace(path)


def follow(path: Path, load: Callable[[Path], int] = load) -> FollowedFile[int]:
    return FollowedFile(path, load, content="number")


def test_a_file_that_cannot_be_loaded_at_the_start_raises(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="none"):
        follow(tmp_path / "none")


def test_a_change_is_loaded_once(path: Path) -> None:
    file = follow(path)
    write(path, "2")
    assert [file.value, file.reload(), file.reload(), file.value] == [1, True, False, 2]


def test_a_replacement_of_the_same_size_and_time_is_a_change(path: Path) -> None:
    file, before = follow(path), path.stat()
    write(path, "2")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert file.current() == 2


@pytest.mark.parametrize("spoil", [lambda path: write(path, "x"), Path.unlink], ids=["bad", "missing"])
def test_a_bad_version_keeps_the_value_and_is_reported_once(
    path: Path, spoil: Callable[[Path], object], caplog: pytest.LogCaptureFixture
) -> None:
    failures: list[int] = []
    file = FollowedFile(path, load, content="number", on_failure=lambda: failures.append(1))
    spoil(path)
    assert [file.current(), file.current(), file.reload()] == [1, 1, False]
    assert file.error is not None
    assert [record.levelno for record in caplog.records] == [logging.ERROR]
    assert failures == [1]

    write(path, "3")
    assert (file.current(), file.error) == (3, None)


def test_a_change_while_the_file_is_loaded_is_noticed_by_the_next_check(path: Path) -> None:
    def load_and_change(path: Path) -> int:
        number = load(path)
        if number < 3:
            write(path, str(number + 1))
        return number

    file = follow(path, load_and_change)
    assert [file.value, file.current(), file.current(), file.current()] == [1, 2, 3, 3]


def test_a_version_that_could_not_be_read_is_read_again(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    is_exhausted = False

    def load_if_possible(path: Path) -> int:
        try:
            if is_exhausted:
                raise OSError(errno.EMFILE, "too many open files")
            return int(path.read_text())
        except OSError as error:
            raise InvalidInput(str(error)) from error

    file = follow(path, load_if_possible)
    is_exhausted = True
    write(path, "2")
    assert [file.current(), file.current()] == [1, 1]
    assert len(caplog.records) == 1
    is_exhausted = False
    assert (file.current(), file.error) == (2, None)


def test_new_permissions_are_a_change(path: Path) -> None:
    file = follow(path)
    path.chmod(0o640)
    assert file.reload()


def test_current_checks_the_file_no_more_often_than_it_should(path: Path) -> None:
    now = [0.0]
    file = FollowedFile(path, load, content="number", check_every_s=1.0, clock=lambda: now[0])
    write(path, "2")
    assert file.current() == 1
    now[0] = 1.0
    assert file.current() == 2
