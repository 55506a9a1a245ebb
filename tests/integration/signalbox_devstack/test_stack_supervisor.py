"""`signalbox-dev` with real Redis and Temporal: readiness, restarts, and no processes left behind."""

import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
import redis.asyncio

from support.assertions.eventually import eventually
from support.servers.stack import DEV, RunningStack, running_stack


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[RunningStack]:
    with running_stack(tmp_path / "state", "--only", "redis") as started:
        yield started


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def error_of(*arguments: str) -> str:
    done = subprocess.run([*DEV, *arguments], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) == 1
    return done.stderr


async def test_the_endpoints_respond_once_the_stack_is_ready(stack: RunningStack) -> None:
    async with redis.asyncio.from_url(str(stack.endpoints.redis)) as client:
        assert await client.ping()


async def test_a_killed_redis_restarts_on_its_port_with_every_acknowledged_write(stack: RunningStack) -> None:
    url = str(stack.endpoints.redis)
    async with redis.asyncio.from_url(url) as client:
        for number in range(500):
            await client.set(f"key-{number}", number)
    await stack.until_replaced("redis", stack.kill("redis"))
    assert stack.endpoints.redis == url
    async with redis.asyncio.from_url(url) as client:
        assert await client.dbsize() == 500
    assert stack.state("redis").restarts == 1


async def test_a_stopped_part_stays_stopped_until_it_is_started(stack: RunningStack) -> None:
    stack.command("stop", "redis")
    with pytest.raises(redis.ConnectionError):
        async with redis.asyncio.from_url(str(stack.endpoints.redis)) as client:
            await client.ping()
    stack.command("start", "redis")
    async with redis.asyncio.from_url(str(stack.endpoints.redis)) as client:
        assert await client.ping()


async def test_no_process_is_left_after_shutdown(tmp_path: Path) -> None:
    with running_stack(tmp_path / "state", "--only", "redis,temporal") as stack:
        pids = dict(stack.endpoints.pids)
        assert pids.keys() == {"redis", "temporal"}
    assert not any(_is_alive(pid) for pid in pids.values())
    assert not (tmp_path / "state" / "endpoints.json").exists()


@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="PR_SET_PDEATHSIG exists on Linux only")
async def test_no_process_is_left_when_the_supervisor_is_killed(tmp_path: Path) -> None:
    stack = RunningStack(tmp_path / "state")
    stack.command("up", "--only", "redis", "--ports", "auto", "--detach")
    pid = stack.endpoints.pids["redis"]
    os.kill(int((stack.folder / "lock").read_text()), signal.SIGKILL)
    await eventually(lambda: not _is_alive(pid))
    assert "no stack is running" in stack.command("down")


async def test_a_detached_stack_runs_until_down(tmp_path: Path) -> None:
    stack = RunningStack(tmp_path / "state")
    assert "redis" in stack.command("up", "--only", "redis", "--ports", "auto", "--detach")
    assert '"status":"ready"' in stack.command("status", "--json")
    pid = stack.endpoints.pids["redis"]
    assert "has stopped" in stack.command("down")
    assert not _is_alive(pid)


async def test_only_the_owner_can_read_the_state_of_a_detached_stack(tmp_path: Path) -> None:
    stack = RunningStack(tmp_path / "state")
    stack.command("up", "--only", "redis", "--ports", "auto", "--detach")
    try:
        paths = [stack.folder, *stack.folder.rglob("*")]
        modes = {str(path.relative_to(tmp_path)): path.stat().st_mode & 0o777 for path in paths}
        expected = {str(path.relative_to(tmp_path)): 0o700 if path.is_dir() else 0o600 for path in paths}
    finally:
        stack.command("down")
    assert modes == expected


def test_a_port_in_use_is_reported_in_one_line_with_the_remedy(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        error = error_of("up", "--state-dir", str(tmp_path), "--only", "redis", "--ports", f"redis={port}")
    assert f"port {port} for redis is in use" in error
    assert "--ports auto" in error


def test_a_second_stack_in_the_same_folder_is_rejected(stack: RunningStack) -> None:
    error = error_of("up", "--state-dir", str(stack.folder), "--ports", "auto")
    assert "already running" in error
    assert "signalbox-dev down" in error


def test_a_failed_detached_start_is_reported_in_one_line(tmp_path: Path) -> None:
    error = error_of("up", "--state-dir", str(tmp_path), "--only", "nginx", "--detach")
    assert "unknown part 'nginx'" in error


def test_logs_shows_a_log_and_rejects_an_unknown_part(stack: RunningStack) -> None:
    assert "Ready to accept connections" in stack.command("logs", "redis")
    assert "no log for 'nginx'" in error_of("logs", "nginx", "--state-dir", str(stack.folder))


async def test_an_emulator_starts_when_it_is_first_needed(tmp_path: Path) -> None:
    with running_stack(tmp_path / "state", "--only", "demo_site,portal") as stack:
        assert stack.command("status", "--json").count('"status":"on_demand"') == 2
        assert stack.endpoints.pids == {}

        async with httpx2.AsyncClient(timeout=60) as http:
            page = await http.get(f"{stack.endpoints.demo_site}/en/coffee")
        assert page.status_code == 200
        await eventually(lambda: stack.state("demo_site").status == "ready", within_s=60)

        assert "portal is ready" in stack.command("start", "portal")
        await eventually(lambda: stack.endpoints.pids.keys() == {"demo_site", "portal"}, within_s=30)
