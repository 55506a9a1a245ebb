"""`signalbox watch` and `signalbox events`: several runs at once."""

import argparse
import io

import httpx2
import pytest
from rich.console import Console

from signalbox_client import AsyncSignalbox
from signalbox_client.commands.command_context import CommandContext
from signalbox_client.commands.watch import events, watch_runs
from signalbox_core.errors import Forbidden, InvalidInput


def gateway(request: httpx2.Request) -> httpx2.Response:
    """Lists one running run, and refuses everything else."""
    if request.url.path == "/v1/runs":
        run = {"run_id": "r1", "pipeline": "echo", "status": "running"}
        return httpx2.Response(200, json={"runs": [run]})
    body = {"title": "No", "status": 403, "code": "forbidden", "detail": "the role viewer is missing"}
    return httpx2.Response(403, json=body, headers={"content-type": "application/problem+json"})


@pytest.fixture
def context() -> CommandContext:
    client = AsyncSignalbox("http://127.0.0.1:1", "k", transport=httpx2.MockTransport(gateway), backoff_s=())
    return CommandContext(client=client, console=Console(file=io.StringIO()), as_json=False)


@pytest.mark.parametrize("runs", [pytest.param([], id="all runs"), pytest.param(["r1", "r2"], id="two runs")])
async def test_an_error_while_following_is_raised_without_a_group(
    context: CommandContext, runs: list[str]
) -> None:
    with pytest.raises(Forbidden, match="the role viewer is missing"):
        await events(context, argparse.Namespace(runs=runs, follow=True))


async def test_too_many_runs_are_refused_with_the_limit(context: CommandContext) -> None:
    with pytest.raises(InvalidInput, match="33 runs are too many: watch at most 32"):
        await watch_runs(context, [f"r{number}" for number in range(33)])
