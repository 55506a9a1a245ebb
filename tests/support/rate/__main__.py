"""One worker process: `python -m support.rate ARM`. Ours is built exactly as the service builds it."""

import asyncio
import os
import signal
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from temporalio.worker import Worker

from signalbox_core.http.fetch.fetcher import Fetcher
from signalbox_core.objects import open_object_store
from signalbox_core.pipeline.activity.loader import sandbox
from signalbox_core.pipeline.deps import ActivityDeps
from signalbox_core.settings import read_settings
from signalbox_core.temporal import connect
from signalbox_worker import worker as service
from signalbox_worker.plugin import SignalboxPlugin
from signalbox_worker.settings import PREFIX, Settings
from support.drivers.pipeline_code import pipeline_code
from support.rate.activities import nothing
from support.rate.contract import SPEC
from support.rate.workflow import Bare


async def ours(environ: Mapping[str, str], stop: asyncio.Event) -> None:
    settings = read_settings(Settings, prefix=PREFIX, environ=environ)
    async with service.open_parts(settings, environ) as parts:
        with ThreadPoolExecutor(settings.max_activities) as threads:
            deps = ActivityDeps(
                objects=open_object_store(settings.objects_url),
                fetcher=Fetcher(frozenset()),
                environ={},
            )
            build = service.WorkerBuilder(
                client=parts.client, emitter=parts.emitter, threads=threads, settings=settings
            )
            parts.workers = [build.worker(SPEC.task_queue, [pipeline_code(SPEC, deps)])]
            print("ready", flush=True)
            await service.run(parts, stop)


async def bare(environ: Mapping[str, str], stop: asyncio.Event) -> None:
    """A plain SDK worker with the same converter, sandbox and reservations."""
    client = await connect(environ["TEMPORAL_ADDRESS"], "default")
    eager = service.MAX_EAGER_ACTIVITIES
    async with Worker(
        client,
        task_queue="bare",
        workflows=[Bare],
        activities=[nothing],
        workflow_runner=sandbox([SPEC]),
        max_concurrent_activities=200,
        max_eager_activity_reservations_per_workflow_task=eager,
    ):
        print("ready", flush=True)
        await stop.wait()


async def plain(environ: Mapping[str, str], stop: asyncio.Event, *, shown: bool) -> None:
    """A worker as users have it, with the plugin or without."""
    client = await connect(environ["TEMPORAL_ADDRESS"], "default")
    async with Worker(
        client,
        task_queue="shown" if shown else "plain",
        workflows=[Bare],
        activities=[nothing],
        workflow_runner=sandbox([SPEC]),
        max_concurrent_activities=200,
        max_eager_activity_reservations_per_workflow_task=service.MAX_EAGER_ACTIVITIES,
        plugins=[SignalboxPlugin(tenant="bench", environ=environ)] if shown else [],
    ):
        print("ready", flush=True)
        await stop.wait()


async def main() -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    arms = {
        "ours": ours,
        "bare": bare,
        "plain": partial(plain, shown=False),
        "shown": partial(plain, shown=True),
    }
    await arms[sys.argv[1]](os.environ, stop)


asyncio.run(main())
