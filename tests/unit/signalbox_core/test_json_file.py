"""A configuration file in JSON: an error names the file, what is wrong with it and its variable."""

from pathlib import Path

import pytest
from msgspec import Struct

from signalbox_core.crypto.api_keys import read_api_keys
from signalbox_core.errors import InvalidInput
from signalbox_core.process.json_file import read_json_file

DEEP = b'{"other": ' + b"[" * 100_000


class Lamps(Struct, frozen=True, kw_only=True):
    lamps: tuple[str, ...]


def read(path: Path) -> Lamps:
    return read_json_file(path, Lamps, content="lamps", field="LAMPS_FILE")


def test_a_file_is_decoded_into_its_type(tmp_path: Path) -> None:
    path = tmp_path / "lamps.json"
    path.write_text('{"lamps": ["red"]}')

    assert read(path) == Lamps(lamps=("red",))


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        pytest.param(b"{", "truncated", id="cut off"),
        pytest.param(b'{"lamps": "red"}', "Expected `array`, got `str` - at `$.lamps`", id="another type"),
        pytest.param(b'{"lamps": ["\xff"]}', "invalid start byte", id="not UTF-8"),
        pytest.param(DEEP, "recursion", id="nested too deeply"),
    ],
)
def test_a_malformed_file_is_named_with_the_problem(tmp_path: Path, body: bytes, problem: str) -> None:
    path = tmp_path / "lamps.json"
    path.write_bytes(body)

    with pytest.raises(InvalidInput) as refused:
        read(path)

    assert refused.value.detail.startswith(f"the lamps in {path}: ")
    assert problem in refused.value.detail
    assert refused.value.field == "LAMPS_FILE"


def test_a_file_that_is_absent_is_named(tmp_path: Path) -> None:
    with pytest.raises(
        InvalidInput, match=r"the lamps in .*none\.json: cannot be read: No such file"
    ) as refused:
        read(tmp_path / "none.json")

    assert isinstance(refused.value.__context__, OSError), "so that a FollowedFile reads it again"


def test_a_file_of_api_keys_that_is_nested_too_deeply_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    path.write_bytes(DEEP)

    with pytest.raises(InvalidInput, match="the API keys in"):
        read_api_keys(path)
