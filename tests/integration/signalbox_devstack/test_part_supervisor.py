"""The supervisor with small test parts: failed starts, restarts, start order, no orphaned grandchildren."""

import asyncio
import os
import sys
from pathlib import Path

import pytest
from httpx2 import AsyncClient

from signalbox_core.errors import Unavailable
from signalbox_devstack.stack.config import Programs, StackConfig
from signalbox_devstack.stack.folder import StateFolder
from signalbox_devstack.stack.keys import ensure_keys
from signalbox_devstack.stack.parts.part import HttpOk, Part
from signalbox_devstack.stack.supervisor import running_stack
from support.assertions.eventually import eventually
from support.servers.backends import free_port

SERVE = """
import http.server, sys
http.server.test(HandlerClass=http.server.SimpleHTTPRequestHandler, port=int(sys.argv[1]), bind='127.0.0.1')
"""

SERVE_ON_DESCRIPTOR = """
import http.server, socket, sys
server = http.server.HTTPServer(('', 0), http.server.SimpleHTTPRequestHandler, bind_and_activate=False)
server.socket.close()
server.socket = socket.socket(fileno=int(sys.argv[sys.argv.index('--listen-fd') + 1]))
server.serve_forever()
"""


@pytest.fixture
def config(tmp_path: Path) -> StackConfig:
    folder = StateFolder.create(tmp_path / "state")
    return StackConfig(
        folder=folder,
        ports={},
        keys=ensure_keys(folder),
        programs=Programs("", ""),
        has_temporal_ui=False,
        environ=os.environ,
    )


def web(name: str, *after: str) -> Part:
    port = free_port()
    return Part(
        name=name,
        argv=(sys.executable, "-c", SERVE, str(port)),
        probe=HttpOk(port, "/"),
        address=f"127.0.0.1:{port}",
        depends_on=after,
    )


def on_demand(name: str) -> Part:
    port = free_port()
    return Part(
        name=name,
        argv=(sys.executable, "-c", SERVE_ON_DESCRIPTOR),
        probe=HttpOk(port, "/"),
        address=f"http://127.0.0.1:{port}",
        demand_port=port,
    )


def script(name: str, code: str, ready_within_s: float = 20) -> Part:
    return Part(
        name=name,
        argv=(sys.executable, "-c", code),
        probe=HttpOk(free_port()),
        address="",
        ready_within_s=ready_within_s,
    )


async def start(config: StackConfig, *parts: Part) -> list[str]:
    reports: list[str] = []
    async with running_stack(config, parts, report=reports.append):
        return reports


async def test_a_part_that_exits_at_once_is_reported_with_its_last_log_lines(config: StackConfig) -> None:
    with pytest.raises(Unavailable, match=r"(?s)broken exited with code 3.*the reason"):
        await start(config, script("broken", "print('the reason'); raise SystemExit(3)"))


async def test_a_part_that_never_becomes_ready_is_reported(config: StackConfig) -> None:
    with pytest.raises(Unavailable, match=r"silent was not ready within 0\.5 s"):
        await start(config, script("silent", "import signal; signal.pause()", ready_within_s=0.5))


async def test_a_missing_program_is_reported(config: StackConfig) -> None:
    missing = Part(name="gone", argv=("/does/not/exist",), probe=HttpOk(1), address="")
    with pytest.raises(Unavailable, match="gone: cannot start /does/not/exist: No such file or directory"):
        await start(config, missing)


async def test_a_part_starts_after_its_dependencies_are_ready(config: StackConfig) -> None:
    reports = await start(config, web("second", "first"), web("first"))
    assert [line.split()[0] for line in reports] == ["first", "second"]


async def test_all_parts_are_stopped_when_one_cannot_start(config: StackConfig) -> None:
    good = web("good")
    with pytest.raises(Unavailable):
        await start(config, good, script("broken", "raise SystemExit(1)"))
    with pytest.raises(OSError, match="Connect call failed"):
        await asyncio.open_connection("127.0.0.1", int(good.address.partition(":")[2]))


async def test_a_killed_part_is_reported_and_restarted(config: StackConfig) -> None:
    reports: list[str] = []
    async with running_stack(config, [web("web")], report=reports.append) as stack:
        before = stack.states()[0].pid
        assert before is not None
        os.kill(before, 9)
        await eventually(
            lambda: stack.states()[0].status == "ready" and stack.states()[0].pid not in (None, before)
        )
    assert any(line.startswith("web was killed by signal 9; restarting in 0.2 s") for line in reports)
    assert any(line.startswith("web is ready again") for line in reports)


async def test_processes_started_by_a_part_are_killed_with_it(config: StackConfig, tmp_path: Path) -> None:
    port, note = free_port(), tmp_path / "pid"
    code = (
        "import pathlib, subprocess, sys; child = subprocess.Popen(['tail', '-f', '/dev/null']); "
        f"pathlib.Path({str(note)!r}).write_text(str(child.pid)){SERVE}"
    )
    part = Part(name="web", argv=(sys.executable, "-c", code, str(port)), probe=HttpOk(port, "/"), address="")
    await start(config, part)
    grandchild = Path(f"/proc/{note.read_text()}")
    await eventually(lambda: not grandchild.exists() or "zombie" in (grandchild / "status").read_text())


async def test_a_part_on_demand_starts_on_its_first_connection(config: StackConfig) -> None:
    part = on_demand("shop")
    async with running_stack(config, [part], report=[].append) as stack, AsyncClient(timeout=30) as http:
        assert (stack.states()[0].status, stack.states()[0].pid) == ("on_demand", None)

        assert (await http.get(part.address)).status_code == 200

        await eventually(lambda: stack.states()[0].status == "ready", within_s=30)
        pid = stack.states()[0].pid
        assert pid is not None
        os.kill(pid, 9)
        await eventually(lambda: stack.states()[0].pid not in (None, pid), within_s=30)
        assert (await http.get(part.address)).status_code == 200
    with pytest.raises(OSError, match="Connect call failed"):
        await asyncio.open_connection("127.0.0.1", part.demand_port)


async def test_a_part_on_demand_refuses_connections_while_it_is_stopped(config: StackConfig) -> None:
    part, marker = on_demand("shop"), config.folder.holds / "shop"
    async with running_stack(config, [part], report=[].append) as stack:
        marker.touch()
        await eventually(lambda: stack.states()[0].status == "held", within_s=30)
        with pytest.raises(OSError, match="Connect call failed"):
            await asyncio.open_connection("127.0.0.1", part.demand_port)

        marker.unlink()

        await eventually(lambda: stack.states()[0].status == "ready", within_s=30)
