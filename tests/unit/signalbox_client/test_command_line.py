"""The `signalbox` command as a program: errors are one line with an exit code, never a traceback."""

import io
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from rich.console import Console

from signalbox_client import cli
from signalbox_client.commands.command_context import read_text
from signalbox_client.commands.flags import parse_json
from signalbox_client.commands.prompts import read_answer
from signalbox_client.stored_keys import keys_path
from signalbox_core.errors import InvalidInput

NOWHERE = ("--gateway", "http://127.0.0.1:9", "--api-key", "k")
DEEP = "[" * 100_000


def outcome(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, Sequence[str]]:
    code = cli.main(list(arguments))
    return code, capsys.readouterr().err.splitlines()


@pytest.mark.parametrize(
    "url",
    [
        pytest.param("http://[::1", id="bracket that is not closed"),
        pytest.param("http://host:abc", id="port that is not a number"),
        pytest.param("http://127.0.0.1:99999", id="port out of range"),
        pytest.param("ftp://host", id="another scheme"),
        pytest.param("http:///runs", id="no host"),
    ],
)
def test_a_malformed_url_is_refused_on_one_line(capsys: pytest.CaptureFixture[str], url: str) -> None:
    code, (line,) = outcome(capsys, "--gateway", url, "--api-key", "k", "runs")
    assert code == 2
    assert f"{url!r} is not a gateway URL: set SIGNALBOX_URL, or --gateway" in line


@pytest.mark.parametrize("command", [("show", "\udcff"), ("cancel", "run-1", "--reason", "\udcff")])
def test_an_argument_that_is_not_utf8_is_refused(
    capsys: pytest.CaptureFixture[str], command: Sequence[str]
) -> None:
    code, (line,) = outcome(capsys, *NOWHERE, *command)
    assert (code, line) == (2, r"signalbox: the argument '\udcff' is not valid UTF-8; type it again")


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(DEEP, id="deep"),
        pytest.param('{"n": NaN}', id="NaN"),
        pytest.param('{"n": [-1e999]}', id="beyond a double"),
    ],
)
def test_json_that_cannot_be_sent_is_refused(capsys: pytest.CaptureFixture[str], text: str) -> None:
    code, (line,) = outcome(capsys, *NOWHERE, "send", "paid", "--run", "run-1", "--data", text)
    assert code == 2
    assert "--data is not JSON: " in line
    with pytest.raises(InvalidInput, match="--answer is not JSON"):
        read_answer(text)
    with pytest.raises(ValueError, match=r"nested too deeply|not a JSON value|too large for JSON"):
        parse_json(text)


def test_standard_input_that_is_not_text_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b'{"note": "\xff"}')))
    with pytest.raises(InvalidInput, match="--answer -: not a text file"):
        read_answer("-")


class InterruptedInput(io.BytesIO):
    """Standard input at a terminal, where Ctrl-C is pressed."""

    def __init__(self) -> None:
        super().__init__()
        self.went_on = False

    def read(self, _size: int | None = -1) -> bytes:
        os.kill(os.getpid(), signal.SIGINT)
        self.went_on = True
        return b""


def test_one_control_c_ends_a_command_that_reads_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    source = InterruptedInput()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(source))
    before = signal.getsignal(signal.SIGINT)
    assert cli.main([*NOWHERE[:2], "login", "--key-file", "-"]) == 130
    assert not source.went_on
    assert signal.getsignal(signal.SIGINT) is before


def test_an_input_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=f"--input {tmp_path}: Is a directory"):
        read_text(str(tmp_path), option="--input")


def test_a_user_without_a_home_has_no_stored_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_home() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", no_home)
    assert keys_path({}) == Path("/.config/signalbox/keys.json")


def test_a_reader_that_exits_early_ends_the_command_like_any_other() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    code = "from signalbox_client.cli import main; raise SystemExit(main(['completion', 'bash']))"
    try:
        done = subprocess.run(
            [sys.executable, "-c", code], stdout=writer, stderr=subprocess.PIPE, text=True, check=False
        )
    finally:
        os.close(writer)
    assert (done.returncode, done.stderr) == (cli.EXIT_BROKEN_PIPE, "")


class ClosedPipe(io.StringIO):
    """Standard output whose reader has exited."""

    def write(self, _text: str) -> int:
        raise BrokenPipeError


def test_a_table_for_a_reader_that_has_exited_ends_the_command_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", ClosedPipe())
    console: Console = cli._console()
    with pytest.raises(BrokenPipeError):
        console.print("run-1")
