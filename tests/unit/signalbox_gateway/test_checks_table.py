"""docs/streams.md lists all 33 checks of a stream and exactly the files that contain their tests."""

import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[2]
PAGE = (TESTS.parent / "docs" / "streams.md").read_text().partition("## The checks")[2]
ROWS = re.findall(r"^\| (\d+) \| .+ \| (.+) \|$", PAGE, re.MULTILINE)
CHECK = re.compile(r"def test_check((?:_\d\d)+)_[a-z]")


def files_by_number() -> dict[int, set[str]]:
    """The files with a test that carries the number in its name."""
    found: dict[int, set[str]] = {}
    for path in TESTS.glob("*/**/test_*.py"):
        for numbers in CHECK.findall(path.read_text()):
            for number in numbers.strip("_").split("_"):
                found.setdefault(int(number), set()).add(str(path.relative_to(TESTS)))
    return found


FILES = files_by_number()


def test_every_check_is_in_the_table_once() -> None:
    assert [int(number) for number, _ in ROWS] == list(range(1, 34))


@pytest.mark.parametrize(("number", "files"), ROWS)
def test_the_tests_of_a_check_are_where_the_table_says(number: str, files: str) -> None:
    assert set(re.findall(r"`([^`]+)`", files)) == FILES[int(number)]
