"""The file of `signalbox login`: who may read it, and which key it has for which gateway."""

import stat
from pathlib import Path

import pytest

from signalbox_client.stored_keys import StoredKeys, keys_path, read_keys, write_keys
from signalbox_core.errors import InvalidInput

KEYS = StoredKeys().with_key("https://one.example", "sbx_one").with_key("https://two.example", "sbx_two")


def test_the_file_is_readable_by_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "config" / "signalbox" / "keys.json"
    write_keys(path, KEYS)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert read_keys(path) == KEYS
    assert [item.name for item in path.parent.iterdir()] == ["keys.json"]


def test_without_a_file_no_key_is_stored(tmp_path: Path) -> None:
    assert read_keys(tmp_path / "keys.json") == StoredKeys()


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o622], ids=oct)
def test_a_file_open_to_others_is_refused_with_the_remedy(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "keys.json"
    write_keys(path, KEYS)
    path.chmod(mode)
    with pytest.raises(InvalidInput, match=f"chmod 600 {path}"):
        read_keys(path)


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    write_keys(path, KEYS)
    path.write_text('{"keys": 3}')
    with pytest.raises(InvalidInput, match="damaged"):
        read_keys(path)


def test_the_latest_login_is_the_default_until_its_logout() -> None:
    assert KEYS.gateway == "https://two.example"
    left = KEYS.without("https://two.example")
    assert (left.gateway, dict(left.keys)) == ("", {"https://one.example": "sbx_one"})


@pytest.mark.parametrize(
    ("environ", "path"),
    [
        pytest.param({"HOME": "/home/lan"}, "/home/lan/.config/signalbox/keys.json", id="home"),
        pytest.param(
            {"HOME": "/home/lan", "XDG_CONFIG_HOME": "/etc/lan"}, "/etc/lan/signalbox/keys.json", id="XDG"
        ),
        pytest.param(
            {"HOME": "/home/lan", "XDG_CONFIG_HOME": "relative"},
            "/home/lan/.config/signalbox/keys.json",
            id="a relative folder is ignored",
        ),
    ],
)
def test_the_file_is_in_the_folder_of_settings(environ: dict[str, str], path: str) -> None:
    assert keys_path(environ) == Path(path)
