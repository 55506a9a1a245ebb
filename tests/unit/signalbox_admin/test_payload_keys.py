"""`signalbox-admin payload-keys`: a ring grows, turns and shrinks; no key is shown."""

import stat
from pathlib import Path

import pytest

from signalbox_admin.cli import main
from signalbox_core.crypto.sealing import PayloadKeyFile, decode_payload_keys


def ring(path: Path) -> PayloadKeyFile:
    return decode_payload_keys(path.read_bytes(), str(path))


def test_a_ring_grows_turns_and_shrinks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "keys.json"
    file = ("--file", str(path))

    assert main(["payload-keys", "new", *file]) == 0
    first = ring(path).active
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.chmod(0o640)
    assert main(["payload-keys", "new", *file]) == 0
    assert (ring(path).active, len(ring(path).keys)) == (first, 2)  # every service sees it before it seals
    assert main(["payload-keys", "rotate", *file]) == 0
    assert (ring(path).active, len(ring(path).keys)) == (ring(path).keys[-1].id, 2)
    assert main(["payload-keys", "rotate", *file]) == 0
    assert (ring(path).active, len(ring(path).keys)) == (ring(path).keys[-1].id, 3)
    assert main(["payload-keys", "remove", *file, "--keyid", first]) == 0
    assert main(["payload-keys", "list", *file]) == 0
    assert stat.S_IMODE(path.stat().st_mode) == 0o640

    shown = capsys.readouterr().out
    assert all(key.id in shown and key.key not in shown for key in ring(path).keys)


def test_a_mistake_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SIGNALBOX_PAYLOAD_KEYS_FILE", raising=False)
    file = ("--file", str(tmp_path / "keys.json"))
    assert main(["payload-keys", "list"]) == 2
    assert main(["payload-keys", "rotate", *file]) == 2
    assert main(["payload-keys", "new", *file]) == 0
    assert main(["payload-keys", "remove", *file, "--keyid", ring(tmp_path / "keys.json").active]) == 2
    assert main(["payload-keys", "remove", *file, "--keyid", "nobody"]) == 2

    said = capsys.readouterr().err.splitlines()
    for says, line in zip(
        ("SIGNALBOX_PAYLOAD_KEYS_FILE", "make one", "rotate first", "no payload key nobody"),
        said,
        strict=True,
    ):
        assert says in line
