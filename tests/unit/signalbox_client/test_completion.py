"""The completion scripts: bash is run; zsh and fish are compared with the parser."""

import subprocess
from pathlib import Path

import pytest

from signalbox_client.cli import main
from signalbox_client.commands.arguments.completion import SHELLS


def script(capsys: pytest.CaptureFixture[str], shell: str) -> str:
    assert main(["completion", shell]) == 0
    return capsys.readouterr().out


def completed_by_bash(text: str, folder: Path, *words: str) -> list[str]:
    """What bash proposes for the last of the words, which follow `signalbox`."""
    file = folder / "completion"
    file.write_text(text)
    quoted = " ".join(f"'{word}'" for word in ("signalbox", *words))
    command = f"source {file}; COMP_WORDS=({quoted}); COMP_CWORD={len(words)}; _signalbox 2>/dev/null"
    done = subprocess.run(
        ["bash", "--norc", "-c", f'{command}; printf "%s\\n" "${{COMPREPLY[@]}}"'],
        capture_output=True,
        text=True,
        check=True,
        cwd=folder,
    )
    return done.stdout.split()


@pytest.mark.parametrize(
    ("words", "proposed"),
    [
        pytest.param(("sta",), ["start"], id="a command"),
        pytest.param(("--gateway", "http://a", "wat"), ["watch"], id="after a common option"),
        pytest.param(("runs", "--st"), ["--status"], id="an option"),
        pytest.param(("runs", "--status", "c"), ["completed", "cancelled"], id="a value"),
        pytest.param(("start", "ad_creative", "--wa"), ["--watch"], id="an option of start"),
        pytest.param(("completion", "z"), ["zsh"], id="an argument"),
        pytest.param(("artifacts", "r1", "--to", "com"), ["completion"], id="a file"),
        pytest.param(("decide", "r1", "a", "--note", ""), [], id="a text"),
    ],
)
def test_bash_proposes_what_may_follow(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, words: tuple[str, ...], proposed: list[str]
) -> None:
    assert completed_by_bash(script(capsys, "bash"), tmp_path, *words) == proposed


@pytest.mark.parametrize("shell", SHELLS)
def test_every_script_has_the_commands_and_their_options(
    capsys: pytest.CaptureFixture[str], shell: str
) -> None:
    text = script(capsys, shell)
    for word in ("decide", "retry", "dry-run", "key-file", "timed_out"):
        assert word in text


def test_an_unknown_shell_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", "tcsh"]) == 2
    assert "bash" in capsys.readouterr().err
