"""The state folder (keys, private files, lock) and the validation of options."""

import hashlib
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from signalbox_core.crypto.api_keys import ApiKeyFile, Role, read_api_keys
from signalbox_core.errors import Conflict, InvalidInput
from signalbox_devstack.stack.folder import StateFolder, open_log, write_private
from signalbox_devstack.stack.keys import SenderKeyFile, ensure_keys
from signalbox_devstack.stack.options import StackOptions, resolve_config
from signalbox_devstack.stack.part_supervisor import restart_delay_s
from signalbox_devstack.stack.programs import redis_program, redis_version
from signalbox_devstack.stack.supervisor import child_environ


@pytest.fixture
def folder(tmp_path: Path) -> StateFolder:
    return StateFolder.create(tmp_path / "state")


def test_keys_are_generated_once(folder: StateFolder) -> None:
    assert ensure_keys(folder).api_keys == ensure_keys(folder).api_keys


def test_the_admin_key_of_an_earlier_version_gets_the_role_deployment_operator(folder: StateFolder) -> None:
    def roles() -> dict[str, frozenset[Role]]:
        return {key.id: key.roles for key in read_api_keys(ensure_keys(folder).api_keys_file)}

    path, new = ensure_keys(folder).api_keys_file, roles()
    keys = tuple(replace(key, roles=key.roles - {Role.DEPLOYMENT_OPERATOR}) for key in read_api_keys(path))
    write_private(path, msgspec.json.encode(ApiKeyFile(keys=keys)))

    assert new["dev-admin"] == {Role.ADMIN, Role.DEPLOYMENT_OPERATOR}
    assert all(Role.DEPLOYMENT_OPERATOR not in granted for key, granted in new.items() if key != "dev-admin")
    assert roles() == new


def test_only_the_owner_can_read_the_key_files(folder: StateFolder) -> None:
    ensure_keys(folder)
    assert {path.stat().st_mode & 0o777 for path in folder.keys.iterdir()} == {0o600}


def test_only_the_owner_can_access_a_state_folder_even_an_existing_one(tmp_path: Path) -> None:
    (tmp_path / "state" / "logs").mkdir(parents=True, mode=0o755)
    folder = StateFolder.create(tmp_path / "state")
    (folder.root / "objects").chmod(0o755)
    StateFolder.create(tmp_path / "state")
    with folder.lock(), open_log(folder.log("supervisor")) as log:
        log.write(b"admin API key    sbx_...")
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


def test_the_gateway_key_file_contains_digests_only(folder: StateFolder) -> None:
    files = ensure_keys(folder)
    text = files.api_keys_file.read_bytes()
    keys = msgspec.json.decode(text, type=ApiKeyFile).keys
    assert {key.sha256 for key in keys} == {
        hashlib.sha256(key.encode()).hexdigest() for key in files.api_keys.values()
    }
    assert all(key.encode() not in text for key in files.api_keys.values())


def test_the_receiver_key_file_contains_the_public_key_only(folder: StateFolder) -> None:
    files = ensure_keys(folder)
    (key,) = msgspec.json.decode(files.sender_keys_file.read_bytes(), type=SenderKeyFile).keys
    assert key.keyid == files.keyid
    assert "PUBLIC" in key.public_pem


def test_a_state_folder_can_be_locked_once(folder: StateFolder) -> None:
    with (
        folder.lock(),
        pytest.raises(Conflict, match=r"already running .* stop it with: signalbox-dev down"),
        folder.lock(),
    ):
        pass


def test_the_supervisor_pid_is_known_while_the_lock_is_held(folder: StateFolder) -> None:
    assert folder.supervisor_pid() is None
    with folder.lock():
        assert folder.supervisor_pid() is not None
    assert folder.supervisor_pid() is None


def test_a_private_file_is_replaced_atomically(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_private(path, b"first, and longer")
    write_private(path, b"second")
    assert path.read_bytes() == b"second"
    assert [item.name for item in tmp_path.iterdir()] == ["file"]


def test_the_restart_delay_doubles_up_to_ten_seconds() -> None:
    assert [restart_delay_s(exits) for exits in (1, 2, 3, 10)] == [0.2, 0.4, 0.8, 10.0]


def test_child_processes_bypass_the_proxy_for_loopback() -> None:
    assert child_environ({"no_proxy": "intern"})["NO_PROXY"] == "intern,127.0.0.1,localhost"


def test_the_version_of_a_program_that_is_not_redis_is_empty() -> None:
    assert redis_version("/bin/true") == ()
    assert redis_version("/does/not/exist") == ()


@pytest.mark.parametrize(
    ("name", "version", "taken"),
    [
        ("redis-server", "6.2.0", True),
        ("redis-server", "7.0.15", True),
        ("valkey-server", "8.1.3", True),
        ("redis-server", "6.0.16", False),
        ("redis-server", "unknown", False),
    ],
)
def test_a_redis_on_the_path_is_taken_when_it_is_new_enough(
    name: str, version: str, taken: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / name
    program.write_text(f"#!/bin/sh\necho 'Redis server v={version} sha=00000000:0'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    found = redis_program()
    assert (found == str(program)) is taken
    assert taken or redis_version(found) >= (9, 1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        pytest.param(
            StackOptions(state_dir=Path(), only=("nginx",)),
            "--only: unknown part 'nginx'; the parts are: temporal",
            id="unknown part",
        ),
        pytest.param(
            StackOptions(state_dir=Path(), workers=0), "--workers must be between 1 and 32", id="no worker"
        ),
        pytest.param(StackOptions(state_dir=Path(), ports="gateway=x"), "--ports: 'gateway=x'", id="no port"),
    ],
)
def test_invalid_options_are_rejected_with_the_reason(
    tmp_path: Path, options: StackOptions, message: str
) -> None:
    with pytest.raises(InvalidInput, match=message):
        resolve_config(replace(options, state_dir=tmp_path), {})


def test_an_uncreatable_state_folder_is_rejected(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InvalidInput, match=r"--state-dir .*file/x: Not a directory; choose a folder"):
        StateFolder.create(tmp_path / "file" / "x")
