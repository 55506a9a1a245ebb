"""The supervisor: starts parts in dependency order, restarts those that exit, and stops them in reverse
order.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Final

import msgspec

from signalbox_core.errors import SignalboxError
from signalbox_devstack.stack.config import TOPOLOGY, StackConfig
from signalbox_devstack.stack.endpoints import Endpoints, endpoints_of
from signalbox_devstack.stack.folder import DISK_FULL, write_state
from signalbox_devstack.stack.part_supervisor import PartState, PartSupervisor, Report
from signalbox_devstack.stack.parts.part import Part, start_order
from signalbox_devstack.stack.topology import create_in_pubsub, create_in_temporal

_PUBLISH_AGAIN_AFTER_S: Final = 1.0
_TOPOLOGY_IN: Final = {"temporal": create_in_temporal, "pubsub": create_in_pubsub}


class Stack:
    """A set of supervised parts.

    Every change of a part's state is written to the status file and passed to `on_change`. What cannot be
    written, because the disk is full, is written as soon as it can be; supervision continues.
    """

    def __init__(
        self,
        config: StackConfig,
        parts: Sequence[Part],
        report: Report,
        on_change: Callable[["Stack"], None],
    ) -> None:
        self._config = config
        self._parts = parts
        self._on_change = on_change
        self._is_published = False
        environ = child_environ(config.environ)
        self._supervisors = {
            part.name: PartSupervisor(part, config.folder, environ, self._publish_state, report)
            for part in parts
        }
        self._ready = {name: asyncio.Event() for name in (*self._supervisors, TOPOLOGY)}

    def states(self) -> list[PartState]:
        return [supervisor.state() for supervisor in self._supervisors.values()]

    def endpoints(self) -> Endpoints:
        return endpoints_of(self._config, self.states())

    async def start(self) -> None:
        """Start every part, in parallel where dependencies allow.

        Raises:
            Unavailable: a part did not become ready; the message names it and carries its last log lines.
        """
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._create_topology())
                for supervisor in self._supervisors.values():
                    group.create_task(self._start_after_dependencies(supervisor))
        except BaseExceptionGroup as errors:
            raise first_cause(errors) from None

    async def supervise(self) -> None:
        """Check the health of every part and restart those that exit, until cancelled."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._keep_published())
                for supervisor in self._supervisors.values():
                    group.create_task(supervisor.supervise())
                    group.create_task(supervisor.watch_health())
        except BaseExceptionGroup as errors:
            raise first_cause(errors) from None

    async def stop(self) -> None:
        """Stop every part before the parts it depends on."""
        for group in reversed(start_order(self._parts)):
            await asyncio.gather(*(self._supervisors[part.name].stop() for part in group))

    async def _start_after_dependencies(self, supervisor: PartSupervisor) -> None:
        for name in supervisor.part.depends_on:
            if name in self._ready:
                await self._ready[name].wait()
        await supervisor.start()
        self._ready[supervisor.part.name].set()

    async def _create_topology(self) -> None:
        """Create the topology in each backend as soon as that backend is ready."""
        async with asyncio.TaskGroup() as group:
            for name, create in _TOPOLOGY_IN.items():
                if name in self._supervisors:
                    group.create_task(self._create_when_ready(name, create))
        self._ready[TOPOLOGY].set()

    async def _create_when_ready(self, name: str, create: Callable[[StackConfig], Awaitable[None]]) -> None:
        await self._ready[name].wait()
        await create(self._config)

    def _publish_state(self) -> None:
        try:
            write_state(self._config.folder.status, msgspec.json.encode(self.states()))
            self._on_change(self)
        except OSError as error:
            if error.errno not in DISK_FULL:
                raise
            self._is_published = False
        else:
            self._is_published = True

    async def _keep_published(self) -> None:
        while True:
            await asyncio.sleep(_PUBLISH_AGAIN_AFTER_S)
            if not self._is_published:
                self._publish_state()


@asynccontextmanager
async def running_stack(
    config: StackConfig,
    parts: Sequence[Part],
    *,
    report: Report,
    on_change: Callable[[Stack], None] = lambda _: None,
) -> AsyncIterator[Stack]:
    """Run and supervise a stack for the duration of the block, and stop it without leaving orphans.

    Raises:
        Conflict: another stack runs in the same folder.
        Unavailable: a part did not become ready.
    """
    with config.folder.lock():
        config.folder.release_all()
        stack = Stack(config, parts, report, on_change)
        try:
            await stack.start()
            supervision = asyncio.create_task(stack.supervise())
            try:
                yield stack
            finally:
                supervision.cancel()
                await asyncio.wait((supervision,))
        finally:
            await asyncio.shield(stack.stop())


def child_environ(environ: Mapping[str, str]) -> Mapping[str, str]:
    """The environment of every child: ours, but loopback bypasses any proxy, and bytecode is cached for fast
    restarts.
    """
    inherited = {name: value for name, value in environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    no_proxy = ",".join(
        filter(None, (environ.get("NO_PROXY") or environ.get("no_proxy"), "127.0.0.1,localhost"))
    )
    own = {"NO_PROXY": no_proxy, "no_proxy": no_proxy, "PYTHONUNBUFFERED": "1"}
    return {"PATH": os.defpath, **inherited, **own}


def first_cause(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    """The one error to report from a group: a SignalboxError if there is one, else the first."""
    flat = list(_flatten(errors))
    return next((error for error in flat if isinstance(error, SignalboxError)), flat[0])


def _flatten(errors: BaseExceptionGroup[BaseException]) -> list[BaseException]:
    found: list[BaseException] = []
    for error in errors.exceptions:
        found.extend(_flatten(error) if isinstance(error, BaseExceptionGroup) else [error])
    return found
