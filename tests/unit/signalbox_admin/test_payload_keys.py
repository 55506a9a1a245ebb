"""`signalbox-admin payload-keys`: adding, rotating and removing keys; no key is printed."""

import stat
from pathlib import Path

import pytest

from signalbox_admin.cli import main
from signalbox_core.crypto.sealing import PayloadKeyFile, decode_payload_keys


def ring(path: Path) -> PayloadKeyFile:
    return decode_payload_keys(path.read_bytes(), str(path))


def test_keys_are_added_rotated_and_removed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "keys.json"
    file = ("--file", str(path))

    assert main(["payload-keys", "new", *file]) == 0
    first = ring(path).active
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.chmod(0o640)
    assert main(["payload-keys", "new", *file]) == 0
    assert (ring(path).active, len(ring(path).keys)) == (first, 2)  # services load it before it encrypts
    assert main(["payload-keys", "rotate", *file]) == 0
    assert (ring(path).active, len(ring(path).keys)) == (ring(path).keys[-1].id, 2)
    assert main(["payload-keys", "rotate", *file]) == 0
    assert (ring(path).active, len(ring(path).keys)) == (ring(path).keys[-1].id, 3)
    assert main(["payload-keys", "remove", *file, "--keyid", first]) == 0
    assert main(["payload-keys", "list", *file]) == 0
    assert stat.S_IMODE(path.stat().st_mode) == 0o640

    output = capsys.readouterr().out
    assert all(key.id in output and key.key not in output for key in ring(path).keys)


def test_an_error_names_the_cause(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SIGNALBOX_PAYLOAD_KEYS_FILE", raising=False)
    file = ("--file", str(tmp_path / "keys.json"))
    assert main(["payload-keys", "list"]) == 2
    assert main(["payload-keys", "rotate", *file]) == 2
    assert main(["payload-keys", "new", *file]) == 0
    assert main(["payload-keys", "remove", *file, "--keyid", ring(tmp_path / "keys.json").active]) == 2
    assert main(["payload-keys", "remove", *file, "--keyid", "nobody"]) == 2

    lines = capsys.readouterr().err.splitlines()
    for message, line in zip(
        ("SIGNALBOX_PAYLOAD_KEYS_FILE", "create it", "rotate first", "no payload key nobody"),
        lines,
        strict=True,
    ):
        assert message in line


def test_a_usage_error_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["payload-keys", "remove"]) == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err == (
        "signalbox-admin: the following arguments are required: --keyid;"
        " see signalbox-admin payload-keys remove --help\n"
    )
