"""docs/receiver.md lists all 104 cases, and names tests that exist and carry the case's number."""

import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[2]
DOC = (TESTS.parent / "docs" / "receiver.md").read_text()
FILES = {
    path.name.split("_")[2]: path.read_text() for path in TESTS.glob("*/*receiver/test_cases_[a-g]_*.py")
}
ROWS = re.findall(r"^\| (\d+) \| .+ \| (.+) \|$", DOC, re.MULTILINE)


def test_every_case_is_in_the_table_once() -> None:
    assert [int(number) for number, _ in ROWS] == list(range(1, 105))


@pytest.mark.parametrize(("number", "tests"), ROWS)
def test_the_tests_of_a_case_exist_and_carry_its_number(number: str, tests: str) -> None:
    found = re.findall(r"`([a-g]): (test_\w+)`", tests)
    assert found
    for letter, name in found:
        assert re.search(rf"def {name}\(", FILES[letter])
        assert re.search(rf"case\(\s*{number},", FILES[letter])
