"""The supervisor: starts parts in the order of their needs, keeps them alive, ends them the other way round."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Final

import msgspec

from signalbox_core.errors import SignalboxError
from signalbox_devstack.stack.endpoints import Endpoints, endpoints_of
from signalbox_devstack.stack.folder import write_private
from signalbox_devstack.stack.part_supervisor import Keeper, PartState, Report
from signalbox_devstack.stack.parts import Part, layers
from signalbox_devstack.stack.plan import TOPOLOGY, Site
from signalbox_devstack.stack.topology import create_in_pubsub, create_in_temporal

_TOPOLOGY_IN: Final = {"temporal": create_in_temporal, "pubsub": create_in_pubsub}


class Stack:
    """A started stack. Its status file follows every change; so does whoever listens with `on_change`."""

    def __init__(
        self, site: Site, parts: Sequence[Part], report: Report, on_change: Callable[["Stack"], None]
    ) -> None:
        self._site = site
        self._parts = parts
        self._report = report
        self._listener = on_change
        environ = child_environ(site.environ)
        self._keepers = {
            part.name: Keeper(part, site.folder, environ, self._changed, report) for part in parts
        }
        self._ready = {name: asyncio.Event() for name in (*self._keepers, TOPOLOGY)}

    def states(self) -> list[PartState]:
        return [keeper.state() for keeper in self._keepers.values()]

    def endpoints(self) -> Endpoints:
        return endpoints_of(self._site, self.states())

    async def start(self) -> None:
        """Start everything, in parallel where nothing is waited for.

        Raises:
            Unavailable: a part did not become ready; the message names it and carries its last log lines.
        """
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._create_topology())
                for keeper in self._keepers.values():
                    group.create_task(self._start_when_possible(keeper))
        except BaseExceptionGroup as errors:
            raise first_cause(errors) from None

    async def keep(self) -> None:
        """Restart what dies, until cancelled."""
        try:
            async with asyncio.TaskGroup() as group:
                for keeper in self._keepers.values():
                    group.create_task(keeper.keep())
        except BaseExceptionGroup as errors:
            raise first_cause(errors) from None

    async def stop(self) -> None:
        for group in reversed(layers(self._parts)):
            await asyncio.gather(*(self._keepers[part.name].stop() for part in group))

    async def _start_when_possible(self, keeper: Keeper) -> None:
        for name in keeper.part.after:
            if name in self._ready:
                await self._ready[name].wait()
        await keeper.start()
        self._ready[keeper.part.name].set()

    async def _create_topology(self) -> None:
        """In each backend as soon as it is ready, whoever needs it."""
        async with asyncio.TaskGroup() as group:
            for name, create in _TOPOLOGY_IN.items():
                if name in self._keepers:
                    group.create_task(self._create_when_ready(name, create))
        self._ready[TOPOLOGY].set()

    async def _create_when_ready(self, name: str, create: Callable[[Site], Awaitable[None]]) -> None:
        await self._ready[name].wait()
        await create(self._site)

    def _changed(self) -> None:
        write_private(self._site.folder.status, msgspec.json.encode(self.states()))
        self._listener(self)


@asynccontextmanager
async def running_stack(
    site: Site, parts: Sequence[Part], *, report: Report, on_change: Callable[[Stack], None] = lambda _: None
) -> AsyncIterator[Stack]:
    """A started stack that is kept alive inside the block and ended, without orphans, when the block is left.

    Raises:
        Conflict: another stack runs in the same folder.
        Unavailable: a part did not become ready.
    """
    with site.folder.lock():
        site.folder.release_all()
        stack = Stack(site, parts, report, on_change)
        try:
            await stack.start()
            keeping = asyncio.create_task(stack.keep())
            try:
                yield stack
            finally:
                await _end(keeping)
        finally:
            await asyncio.shield(stack.stop())


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait((task,))


def child_environ(environ: Mapping[str, str]) -> Mapping[str, str]:
    """The environment of every child: ours, with loopback never behind a proxy and with bytecode cached for quick restarts."""
    quiet = {name: value for name, value in environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    direct = ",".join(
        filter(None, (environ.get("NO_PROXY") or environ.get("no_proxy"), "127.0.0.1,localhost"))
    )
    return {"PATH": os.defpath, **quiet, "NO_PROXY": direct, "no_proxy": direct, "PYTHONUNBUFFERED": "1"}


def first_cause(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    """The one error worth telling: ours before anything else."""
    flat = list(_flatten(errors))
    return next((error for error in flat if isinstance(error, SignalboxError)), flat[0])


def _flatten(errors: BaseExceptionGroup[BaseException]) -> list[BaseException]:
    found: list[BaseException] = []
    for error in errors.exceptions:
        found.extend(_flatten(error) if isinstance(error, BaseExceptionGroup) else [error])
    return found
