"""The state folder: keys, private files, the lock."""

import hashlib
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from signalbox_core.crypto.api_keys import ApiKeyFile
from signalbox_core.errors import Conflict, InvalidInput
from signalbox_devstack.stack.folder import StateFolder, open_log, write_private
from signalbox_devstack.stack.keys import SenderKeys, ensure_keys
from signalbox_devstack.stack.options import Wish, settle_site
from signalbox_devstack.stack.part_supervisor import pause_s
from signalbox_devstack.stack.programs import redis_version
from signalbox_devstack.stack.supervisor import child_environ


@pytest.fixture
def folder(tmp_path: Path) -> StateFolder:
    return StateFolder.create(tmp_path / "state")


def test_keys_are_made_once(folder: StateFolder) -> None:
    assert ensure_keys(folder).api_keys == ensure_keys(folder).api_keys


def test_every_key_file_is_for_its_owner_only(folder: StateFolder) -> None:
    ensure_keys(folder)
    assert {path.stat().st_mode & 0o777 for path in folder.keys.iterdir()} == {0o600}


def test_everything_in_a_state_folder_is_private_even_when_it_existed_before(tmp_path: Path) -> None:
    (tmp_path / "state" / "logs").mkdir(parents=True, mode=0o755)
    folder = StateFolder.create(tmp_path / "state")
    (folder.root / "objects").chmod(0o755)
    StateFolder.create(tmp_path / "state")
    with folder.lock(), open_log(folder.log("supervisor")) as log:
        log.write(b"key (admin) sbx_...")
    paths = [folder.root, *folder.root.rglob("*")]
    assert {path.name: path.stat().st_mode & 0o777 for path in paths if path.is_dir()} == dict.fromkeys(
        (path.name for path in paths if path.is_dir()), 0o700
    )
    assert {path.stat().st_mode & 0o777 for path in paths if path.is_file()} == {0o600}


def test_a_log_file_of_an_earlier_version_becomes_private(folder: StateFolder) -> None:
    log = folder.log("supervisor")
    log.touch(mode=0o644)
    with open_log(log):
        pass
    assert log.stat().st_mode & 0o777 == 0o600


def test_the_gateway_learns_the_digest_of_a_key_and_never_the_key(folder: StateFolder) -> None:
    files = ensure_keys(folder)
    text = files.api_keys_file.read_bytes()
    keys = msgspec.json.decode(text, type=ApiKeyFile).keys
    assert {key.sha256 for key in keys} == {
        hashlib.sha256(key.encode()).hexdigest() for key in files.api_keys.values()
    }
    assert all(key.encode() not in text for key in files.api_keys.values())


def test_the_receiver_learns_only_the_public_key(folder: StateFolder) -> None:
    files = ensure_keys(folder)
    (key,) = msgspec.json.decode(files.sender_keys_file.read_bytes(), type=SenderKeys).keys
    assert key.keyid == files.keyid
    assert "PUBLIC" in key.public_pem


def test_a_folder_has_one_stack_at_a_time(folder: StateFolder) -> None:
    with (
        folder.lock(),
        pytest.raises(Conflict, match=r"already running .* end it with: signalbox-dev down"),
        folder.lock(),
    ):
        pass


def test_the_holder_is_known_only_while_it_holds(folder: StateFolder) -> None:
    assert folder.holder() is None
    with folder.lock():
        assert folder.holder() is not None
    assert folder.holder() is None


def test_a_private_file_is_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_private(path, b"first, and longer")
    write_private(path, b"second")
    assert path.read_bytes() == b"second"
    assert [item.name for item in tmp_path.iterdir()] == ["file"]


def test_pauses_between_starts_grow_to_ten_seconds() -> None:
    assert [pause_s(deaths) for deaths in (1, 2, 3, 10)] == [0.2, 0.4, 0.8, 10.0]


def test_children_never_go_through_a_proxy_to_this_machine() -> None:
    assert child_environ({"no_proxy": "intern"})["NO_PROXY"] == "intern,127.0.0.1,localhost"


def test_a_program_that_is_not_redis_has_no_version() -> None:
    assert redis_version("/bin/true") == ()
    assert redis_version("/does/not/exist") == ()


@pytest.mark.parametrize(
    ("wish", "says"),
    [
        pytest.param(
            Wish(state_dir=Path(), only=("nginx",)),
            "no part is called 'nginx'; parts are: temporal",
            id="unknown part",
        ),
        pytest.param(Wish(state_dir=Path(), workers=0), "--workers must be 1 to 32", id="no worker"),
        pytest.param(Wish(state_dir=Path(), ports="gateway=x"), "--ports: 'gateway=x'", id="no port"),
    ],
)
def test_a_wish_that_cannot_be_met_is_named(tmp_path: Path, wish: Wish, says: str) -> None:
    with pytest.raises(InvalidInput, match=says):
        settle_site(replace(wish, state_dir=tmp_path), {})


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InvalidInput, match=r"--state-dir .*file/x: Not a directory; name a folder"):
        StateFolder.create(tmp_path / "file" / "x")
