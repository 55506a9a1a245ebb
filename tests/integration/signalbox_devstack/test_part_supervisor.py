"""The supervisor on parts made for the purpose: first starts that fail, deaths, order, the leash on grandchildren."""

import asyncio
import os
import sys
from pathlib import Path

import pytest

from signalbox_core.errors import Unavailable
from signalbox_devstack.stack.folder import StateFolder
from signalbox_devstack.stack.keys import ensure_keys
from signalbox_devstack.stack.parts import HttpOk, Part
from signalbox_devstack.stack.plan import Programs, Site
from signalbox_devstack.stack.supervisor import running_stack
from support.assertions.eventually import eventually
from support.servers.backends import free_port

SERVE = """
import http.server, sys
http.server.test(HandlerClass=http.server.SimpleHTTPRequestHandler, port=int(sys.argv[1]), bind='127.0.0.1')
"""


@pytest.fixture
def site(tmp_path: Path) -> Site:
    folder = StateFolder.create(tmp_path / "state")
    return Site(
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
        after=after,
    )


def script(name: str, code: str, ready_within_s: float = 20) -> Part:
    return Part(
        name=name,
        argv=(sys.executable, "-c", code),
        probe=HttpOk(free_port()),
        address="",
        ready_within_s=ready_within_s,
    )


async def start(site: Site, *parts: Part) -> list[str]:
    said: list[str] = []
    async with running_stack(site, parts, report=said.append):
        return said


async def test_a_part_that_ends_at_once_is_told_with_its_last_lines(site: Site) -> None:
    with pytest.raises(Unavailable, match=r"(?s)broken ended with exit code 3.*the reason"):
        await start(site, script("broken", "print('the reason'); raise SystemExit(3)"))


async def test_a_part_that_never_answers_is_told(site: Site) -> None:
    with pytest.raises(Unavailable, match=r"silent was not ready within 0\.5 s"):
        await start(site, script("silent", "import signal; signal.pause()", ready_within_s=0.5))


async def test_a_program_that_is_missing_is_told(site: Site) -> None:
    missing = Part(name="gone", argv=("/does/not/exist",), probe=HttpOk(1), address="")
    with pytest.raises(Unavailable, match="gone: cannot start /does/not/exist: No such file or directory"):
        await start(site, missing)


async def test_a_part_starts_only_when_what_it_needs_is_ready(site: Site) -> None:
    said = await start(site, web("second", "first"), web("first"))
    assert [line.split()[0] for line in said] == ["first", "second"]


async def test_when_one_cannot_start_the_others_are_ended(site: Site) -> None:
    good = web("good")
    with pytest.raises(Unavailable):
        await start(site, good, script("broken", "raise SystemExit(1)"))
    with pytest.raises(OSError, match="Connect call failed"):
        await asyncio.open_connection("127.0.0.1", int(good.address.partition(":")[2]))


async def test_a_death_is_reported_with_the_last_lines_and_mended(site: Site) -> None:
    said: list[str] = []
    async with running_stack(site, [web("web")], report=said.append) as stack:
        before = stack.states()[0].pid
        assert before is not None
        os.kill(before, 9)
        await eventually(
            lambda: stack.states()[0].status == "ready" and stack.states()[0].pid not in (None, before)
        )
    assert any(line.startswith("web was killed by signal 9; starting it again in 0.2 s") for line in said)
    assert any(line.startswith("web is ready again") for line in said)


async def test_what_a_part_started_ends_with_it(site: Site, tmp_path: Path) -> None:
    port, note = free_port(), tmp_path / "pid"
    code = f"import subprocess, sys; open({str(note)!r}, 'w').write(str(subprocess.Popen(['tail', '-f', '/dev/null']).pid)){SERVE}"
    part = Part(name="web", argv=(sys.executable, "-c", code, str(port)), probe=HttpOk(port, "/"), address="")
    await start(site, part)
    grandchild = Path(f"/proc/{note.read_text()}")
    await eventually(lambda: not grandchild.exists() or "zombie" in (grandchild / "status").read_text())
