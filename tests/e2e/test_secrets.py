"""A secret that a caller sends is stored nowhere: every file of the whole stack is searched for it."""

import base64
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from temporalio.api.common.v1 import Payload

from signalbox_client import AsyncSignalbox
from signalbox_core.crypto.sealing import KeyRing
from signalbox_core.ids import run_key
from signalbox_core.temporal import connect
from signalbox_devstack.stack.keys import TENANT
from support.drivers.journeys import until_ended
from support.servers.stack import RunningStack, running_stack

PLANTED = "s3cr3t-9d41e7c2-plänted"
PACKAGE = Path(__file__).parents[1] / "support" / "planted"


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    """The stack with one more installed pipeline, of another package."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("PYTHONPATH", str(PACKAGE))
        with running_stack(tmp_path_factory.mktemp("secrets")) as started:
            yield started


def forms_of(secret: str) -> list[bytes]:
    """How it could be written: plain, escaped as JSON, in base64 at any alignment."""
    raw = secret.encode()
    encoded = [base64.b64encode(b"x" * shift + raw)[(shift * 4 + 2) // 3 + 1 : -4] for shift in range(3)]
    return [raw, json.dumps(secret)[1:-1].encode(), *encoded, secret.encode("utf-16-le")]


def files_with(folder: Path, *needles: bytes) -> set[str]:
    found = set()
    for path in folder.rglob("*"):
        if path.is_file() and any(needle in path.read_bytes() for needle in needles):
            found.add(str(path.relative_to(folder)))
    return found


async def test_a_secret_is_found_nowhere_after_its_runs(stack: RunningStack, client: AsyncSignalbox) -> None:
    given = {"user": "lan", "password": PLANTED, "token": PLANTED}
    run_id = (await client.start("login", given, idempotency_key="the-same")).run_id
    again = await client.start("login", given, idempotency_key="the-same")
    failing = (await client.start("login", {**given, "user": "nobody"})).run_id
    assert (await until_ended(client, run_id), await until_ended(client, failing)) == ("completed", "failed")
    result = json.loads(bytes(await client.result(run_id)))
    failed = await client.run(failing)

    assert result == {"length": len(PLANTED)}
    assert again.run_id == run_id
    assert failed.error is not None
    assert "Secret(***)" in failed.error.message

    # What is searched is where things are: each store has the run.
    holders = files_with(stack.folder, run_id.encode())
    assert {name.partition(".")[0].partition("/")[0] for name in holders} >= {
        "temporal",
        "redis",
        "pubsub",
        "logs",
    }, holders
    assert files_with(stack.folder, *forms_of(PLANTED)) == set()


async def test_not_even_an_admin_who_opens_the_history_sees_it(
    stack: RunningStack, client: AsyncSignalbox
) -> None:
    run_id = (await client.start("login", {"user": "lan", "password": PLANTED})).run_id
    await until_ended(client, run_id)
    temporal = await connect(
        str(stack.endpoints.temporal), "default", keys=KeyRing(stack.folder / "keys" / "payload_keys.json")
    )
    history = await temporal.get_workflow_handle(run_key(TENANT, run_id)).fetch_history()
    payloads = [
        payload
        for event in history.events
        for payload in event.workflow_execution_started_event_attributes.input.payloads
    ]
    body = {
        "payloads": [
            {"metadata": {name: b64(value) for name, value in item.metadata.items()}, "data": b64(item.data)}
            for item in payloads
        ]
    }
    async with httpx2.AsyncClient(
        base_url=str(stack.endpoints.gateway), trust_env=False, timeout=60
    ) as caller:
        caller.headers["authorization"] = f"Bearer {stack.endpoints.api_keys['admin']}"
        opened = (await caller.post("/v1/codec/decode", json=body)).json()
        answers = [
            (await caller.get(path)).text
            for path in (f"/v1/runs/{run_id}", "/v1/runs", f"/v1/runs/{run_id}/result")
        ]

    shown = json.loads(base64.b64decode(opened["payloads"][0]["data"]))
    assert shown["user"] == "lan"
    assert shown["password"].startswith("sealed.")
    assert not any(
        form in text.encode() for text in [*answers, json.dumps(shown)] for form in forms_of(PLANTED)
    )


def test_the_command_line_takes_it_from_a_file_and_shows_it_nowhere(
    stack: RunningStack, tmp_path: Path
) -> None:
    (tmp_path / "password").write_text(f"{PLANTED}\n")
    environ = {
        **os.environ,
        "SIGNALBOX_URL": str(stack.endpoints.gateway),
        "SIGNALBOX_API_KEY": stack.endpoints.api_keys["admin"],
    }
    command = [str(Path(sys.executable).with_name("signalbox")), "start", "login", "--user", "lan"]

    def run(*words: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [*command, *words], env=environ, capture_output=True, text=True, timeout=60, check=False
        )

    done = run("--password-file", str(tmp_path / "password"), "--watch", "--json")
    in_argv = run("--password", PLANTED)

    assert done.returncode == 0, done.stderr
    assert PLANTED not in done.stdout + done.stderr
    assert (in_argv.returncode, "--password-file" in in_argv.stderr) == (2, True)
    assert PLANTED not in in_argv.stdout + in_argv.stderr


def as_json(payload: Payload) -> dict[str, object]:
    return {
        "metadata": {name: b64(value) for name, value in payload.metadata.items()},
        "data": b64(payload.data),
    }


def b64(value: bytes) -> str:
    return base64.b64encode(value).decode()
