"""Mistakes of the caller end a command of `signalbox-admin` with one line that names the remedy."""

from pathlib import Path

import pytest
from temporalio.service import RPCError, RPCStatusCode

from signalbox_admin.cli import EXIT_REJECTED, main, translate_error
from signalbox_core.errors import InvalidInput, Unavailable

NEW_KEY = ("audit", "new-key", "--name", "signalbox.test/ledger")


def error_of(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(arguments) == EXIT_REJECTED
    error = capsys.readouterr().err
    assert len(error.splitlines()) == 1
    return error


@pytest.mark.parametrize("command", ["provision", "replay"])
def test_without_google_credentials(
    command: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "none.json"))
    monkeypatch.delenv("PUBSUB_EMULATOR_HOST", raising=False)
    error = error_of(capsys, command, "--project", "p")
    assert "no Google credentials" in error
    assert "GOOGLE_APPLICATION_CREDENTIALS" in error


def test_a_private_key_in_a_folder_that_cannot_be_made(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    assert "cannot write" in error_of(capsys, *NEW_KEY, "--private", str(tmp_path / "file/sub/ledger.key"))


def test_a_public_key_that_cannot_be_written_leaves_no_private_key(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    private = tmp_path / "ledger.key"
    error = error_of(capsys, *NEW_KEY, "--private", str(private), "--public", str(tmp_path))
    assert "cannot write" in error
    assert not private.exists()


def test_a_key_file_that_cannot_be_written(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    error = error_of(capsys, "payload-keys", "new", "--file", str(tmp_path / "file/payload-keys.json"))
    assert "file/payload-keys.json" in error


@pytest.mark.parametrize("hours", ["1e9", "nan", "inf", "-1"])
def test_an_overlap_that_is_no_duration(
    hours: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    api = ("--kind", "api", "--file", str(tmp_path / "api.json"))
    assert main(["keys", "new", *api, "--tenant", "acme", "--name", "Lan", "--roles", "admin"]) == 0
    main(["keys", "list", *api])
    keyid = capsys.readouterr().out.splitlines()[-1].split()[0]
    error = error_of(capsys, "keys", "rotate", *api, "--keyid", keyid, f"--overlap-hours={hours}")
    assert "--overlap-hours must be a number from 0 to 876000" in error


def test_errors_of_temporal_and_of_files_are_translated_and_bugs_are_not() -> None:
    gone = translate_error(RPCError("Namespace nowhere is not found.", RPCStatusCode.NOT_FOUND, b""))
    assert isinstance(gone, InvalidInput)
    assert "Namespace nowhere is not found. (NOT_FOUND); check the namespace" in gone.detail
    assert isinstance(translate_error(RPCError("", RPCStatusCode.UNAVAILABLE, b"")), Unavailable)
    denied = translate_error(PermissionError(13, "Permission denied", "/etc/x"))
    assert denied is not None
    assert denied.detail.startswith("/etc/x: Permission denied")
    assert translate_error(ValueError("bug")) is None
    assert translate_error(OSError("bug")) is None
