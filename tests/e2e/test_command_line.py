"""The `signalbox` command against the running stack, as users and scripts run it."""

import json
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from signalbox_client import AsyncSignalbox
from signalbox_client.commands.prompts import variants_of
from support.assertions.eventually import eventually
from support.drivers.journeys import start_ads, until_asked, until_ended
from support.servers.stack import RunningStack

SIGNALBOX = str(Path(sys.executable).with_name("signalbox"))


class CommandLine:
    def __init__(self, stack: RunningStack) -> None:
        self._environ = {
            **os.environ,
            "SIGNALBOX_URL": str(stack.endpoints.gateway),
            "SIGNALBOX_API_KEY": stack.endpoints.api_keys["admin"],
        }

    def run(
        self, *words: str, typed: str | None = None, environ: Mapping[str, str] | None = None
    ) -> "subprocess.CompletedProcess[str]":
        """Run a command.

        Args:
            typed: its standard input.
            environ: added to its environment; an empty variable counts as absent.
        """
        return subprocess.run(
            [SIGNALBOX, *words],
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
            env={**self._environ, **(environ or {})},
            input=typed,
        )

    def started(self, *words: str) -> "subprocess.Popen[str]":
        """Start a command whose output is read while it runs."""
        return subprocess.Popen(
            [SIGNALBOX, *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**self._environ, "PYTHONUNBUFFERED": "1"},
            # A job in the background inherits that SIGINT is ignored.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
        )

    def json(self, *words: str) -> object:
        done = self.run(*words, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def refused(self, *words: str) -> str:
        """The error: one line on standard error, exit code 2."""
        done = self.run(*words)
        assert (done.returncode, done.stdout) == (2, "")
        assert len(done.stderr.splitlines()) == 1
        return done.stderr


def first_bytes(path: str) -> bytes:
    return Path(path).read_bytes()[:4]


@pytest.fixture
def command(stack: RunningStack) -> CommandLine:
    return CommandLine(stack)


async def test_a_run_from_start_to_files_on_disk(
    stack: RunningStack, client: AsyncSignalbox, command: CommandLine, tmp_path: Path
) -> None:
    page = f"{stack.endpoints.demo_site}/en/coffee"
    run_id = command.run(
        "start",
        "ad_creative",
        "--url",
        page,
        "--variants",
        "1",
        "--redo_rounds=0",
        "--sizes",
        "300x250,728x90",
    ).stdout.strip()
    asked = await until_asked(client, run_id)
    assert run_id in command.run("approvals").stdout
    answer = json.dumps({"decisions": [{"variant": variants_of(asked)[0].variant, "action": "approve"}]})
    assert "decided" in command.run("decide", run_id, "variants", "--answer", answer).stdout
    watched = command.run("watch", run_id)
    assert watched.returncode == 0
    saved = command.run("artifacts", run_id, "--to", str(tmp_path / "files")).stdout.splitlines()
    assert [first_bytes(path) for path in saved if path.endswith(".png")] == [b"\x89PNG"] * 2


async def test_watching_without_a_terminal_prints_a_line_for_each_event(
    stack: RunningStack, client: AsyncSignalbox, command: CommandLine
) -> None:
    started = await client.start("ad_creative", {"url": f"{stack.endpoints.demo_site}/traps/not-html"})
    done = command.run("watch", started.run_id)
    assert done.returncode == 1
    assert "\x1b" not in done.stdout
    await until_ended(client, started.run_id)
    lines = [json.loads(line) for line in command.run("events", started.run_id, "--json").stdout.splitlines()]
    assert [line["event"]["sequence"] for line in lines if line["event"].get("sequence")] == list(
        range(1, lines[-1]["sequence"] + 1)
    )
    assert lines[-1]["status"] == "failed"


async def test_ctrl_c_stops_watching_and_the_run_continues(
    stack: RunningStack, client: AsyncSignalbox, command: CommandLine
) -> None:
    run_id = await start_ads(stack, client, variants=1)
    await until_asked(client, run_id)
    with command.started("watch", run_id) as watching:
        assert watching.stdout is not None
        assert run_id in watching.stdout.readline()
        watching.send_signal(signal.SIGINT)
        _, error = watching.communicate(timeout=90)
    assert (watching.returncode, error.strip()) == (
        130,
        f"signalbox: stopped; run {run_id} continues. To return: signalbox watch {run_id}",
    )
    assert (await client.run(run_id)).status == "running"
    await client.cancel(run_id)


async def test_the_result_of_a_run_is_awaited_and_printed(command: CommandLine) -> None:
    run_id = command.run("start", "ai_task", "--task", "summarise", "--text", "A short text.").stdout.strip()
    done = command.run("result", run_id, "--wait", "--json")
    assert done.returncode == 0, done.stderr
    assert "text" in json.loads(done.stdout)

    def is_listed_as_completed() -> bool:
        rows = [line for line in command.run("runs").stdout.splitlines() if line.startswith(run_id)]
        return len(rows) == 1 and "completed" in rows[0]

    await eventually(is_listed_as_completed, within_s=60)


def test_a_run_without_a_result_gives_exit_code_1_and_the_cause(
    stack: RunningStack, command: CommandLine
) -> None:
    page = f"{stack.endpoints.demo_site}/traps/not-html"
    run_id = command.run("start", "ad_creative", "--url", page).stdout.strip()
    done = command.run("result", run_id, "--wait")
    assert (done.returncode, done.stdout) == (1, "")
    assert f"run {run_id} ended without a result (failed in step" in done.stderr


def test_a_run_is_opened_in_the_browser(command: CommandLine, tmp_path: Path) -> None:
    run_id = command.run("start", "ai_task", "--task", "summarise", "--text", "A text.").stdout.strip()
    opened = tmp_path / "opened"
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\necho "$1" > {opened}\n')
    browser.chmod(0o755)
    done = command.run("open", run_id, environ={"BROWSER": f"{browser} %s"})
    assert done.stdout.strip().endswith(f"/#/runs/{run_id}")
    assert opened.read_text() == done.stdout


def test_a_stored_key_is_used_without_the_environment(
    stack: RunningStack, command: CommandLine, tmp_path: Path
) -> None:
    key = stack.endpoints.api_keys["viewer"]
    own = {"SIGNALBOX_API_KEY": "", "XDG_CONFIG_HOME": str(tmp_path)}
    assert "key" in command.run("runs", environ=own).stderr
    assert command.run("login", "--key-file", "-", typed="sbx_wrong", environ=own).returncode == 2
    assert not list(tmp_path.iterdir())
    done = command.run("login", "--key-file", "-", typed=f"{key}\n", environ=own)
    assert "(viewer)" in done.stdout, done.stderr
    assert key not in done.stdout
    assert stat.S_IMODE((tmp_path / "signalbox" / "keys.json").stat().st_mode) == 0o600
    assert command.run("runs", environ={**own, "SIGNALBOX_URL": ""}).returncode == 0
    assert command.run("logout", environ=own).returncode == 0
    assert command.run("runs", environ=own).returncode == 2


def test_a_key_in_the_arguments_of_login_is_refused(command: CommandLine) -> None:
    assert "--key-file" in command.refused("login", "--api-key", "sbx_key")


async def test_json_output_is_the_apis_json(
    stack: RunningStack, client: AsyncSignalbox, command: CommandLine
) -> None:
    run_id = await start_ads(stack, client, variants=1)
    shown = command.json("show", run_id)
    assert isinstance(shown, dict)
    assert shown["run_id"] == run_id
    assert isinstance(command.json("runs"), list)
    assert isinstance(command.json("pipelines"), list)
    assert command.json("cancel", run_id, "--reason", "enough")
    assert await until_ended(client, run_id) == "cancelled"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        pytest.param(("start", "nope"), "ad_creative", id="unknown pipeline"),
        pytest.param(("start", "ad_creative"), "--url", id="missing field"),
        pytest.param(
            ("start", "ad_creative", "--url", "https://a.example", "--variants", "many"),
            "--variants",
            id="wrong type",
        ),
        pytest.param(("start", "ad_creative", "--colour", "red"), "--colour", id="unknown flag"),
        pytest.param(("start", "ad_creative", "--input", "/does/not/exist"), "--input", id="no such file"),
        pytest.param(("show", "nope"), "nope", id="unknown run"),
        pytest.param(("watch", "nope"), "nope", id="watch an unknown run"),
        pytest.param(("decide", "nope", "variants", "--answer", "{"), "nope", id="decide on an unknown run"),
        pytest.param(("frobnicate",), "frobnicate", id="unknown command"),
        pytest.param(("runs", "--limit", "x"), "--limit", id="not a number"),
        pytest.param(("runs", "--status", "odd"), "status", id="unknown status"),
        pytest.param(("runs", "--api-key", "wrong"), "key", id="wrong key"),
        pytest.param(("runs", "--gateway", "nonsense"), "SIGNALBOX_URL", id="not a URL"),
    ],
)
def test_a_usage_error_is_one_line_that_names_the_cause(
    command: CommandLine, words: tuple[str, ...], message: str
) -> None:
    assert message in command.refused(*words)


def test_the_version_is_printed(command: CommandLine) -> None:
    assert command.run("--version").stdout.startswith("signalbox ")


def test_the_help_of_a_pipeline_lists_its_fields(command: CommandLine) -> None:
    text = command.run("start", "ad_creative", "--help").stdout
    assert "--url" in text
    assert "--redo-rounds" in text


def test_an_unreachable_gateway_is_one_line_and_exit_code_1(command: CommandLine) -> None:
    done = command.run("runs", "--gateway", "http://127.0.0.1:9")
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "no gateway responds" in done.stderr
