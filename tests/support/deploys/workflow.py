"""Releases of the workflow of `deploys`; those of `BREAKING` break a run that waits."""

import asyncio
from datetime import timedelta

from temporalio import workflow

from signalbox_core.pipeline.options import CallOptions
from signalbox_core.pipeline.run import Run
from support.deploys.activities import finish, prepare, prepare_otherwise
from support.deploys.contract import GO_AHEAD, SPEC, DeploysInput, DeploysResult, EditedInput

WORK = CallOptions(timeout=timedelta(seconds=30))


class Release:
    """What all releases share."""

    def __init__(self) -> None:
        self.signalbox = Run(SPEC)

    async def prepare(self, request: DeploysInput) -> int:
        async with self.signalbox.step("prepare") as step:
            return await step.call(prepare, request, WORK)

    async def finish(self, request: DeploysInput) -> DeploysResult:
        async with self.signalbox.step("finish") as step:
            return DeploysResult(chars=await step.call(finish, request, WORK))


@workflow.defn(name="deploys")
class Current(Release):
    @workflow.run
    async def run(self, request: DeploysInput) -> DeploysResult:
        async with self.signalbox as run:
            await self.prepare(request)
            await run.ask(GO_AHEAD, options=())
            return await self.finish(request)


@workflow.defn(name="deploys")
class LaterStep(Release):
    @workflow.run
    async def run(self, request: DeploysInput) -> DeploysResult:
        async with self.signalbox as run:
            await self.prepare(request)
            await run.ask(GO_AHEAD, options=())
            await self.finish(request)
            return await self.finish(request)


@workflow.defn(name="deploys")
class RenamedActivity(Release):
    @workflow.run
    async def run(self, request: DeploysInput) -> DeploysResult:
        async with self.signalbox as run:
            async with run.step("prepare") as step:
                await step.call(prepare_otherwise, request, WORK)
            await run.ask(GO_AHEAD, options=())
            return await self.finish(request)


@workflow.defn(name="deploys")
class AddedActivity(Release):
    @workflow.run
    async def run(self, request: DeploysInput) -> DeploysResult:
        async with self.signalbox as run:
            await self.prepare(request)
            await self.prepare(request)
            await run.ask(GO_AHEAD, options=())
            return await self.finish(request)


@workflow.defn(name="deploys")
class RemovedActivity(Release):
    @workflow.run
    async def run(self, request: DeploysInput) -> DeploysResult:
        async with self.signalbox as run:
            await run.ask(GO_AHEAD, options=())
            return await self.finish(request)


@workflow.defn(name="deploys")
class AddedTimer(Release):
    @workflow.run
    async def run(self, request: DeploysInput) -> DeploysResult:
        async with self.signalbox as run:
            await asyncio.sleep(1)
            await self.prepare(request)
            await run.ask(GO_AHEAD, options=())
            return await self.finish(request)


@workflow.defn(name="deploys")
class AskedFirst(Release):
    @workflow.run
    async def run(self, request: DeploysInput) -> DeploysResult:
        async with self.signalbox as run:
            await run.ask(GO_AHEAD, options=())
            await self.prepare(request)
            return await self.finish(request)


@workflow.defn(name="deploys")
class EditedContract(Release):
    """Its input has a member that earlier inputs lack."""

    @workflow.run
    async def run(self, request: EditedInput) -> DeploysResult:
        async with self.signalbox as run:
            await self.prepare(DeploysInput(text=request.text))
            await run.ask(GO_AHEAD, options=())
            return await self.finish(DeploysInput(text=request.text))


@workflow.defn(name="deploys")
class Repeated(Release):
    """Continues as new after the first answer."""

    @workflow.run
    async def run(self, request: DeploysInput) -> DeploysResult:
        async with self.signalbox as run:
            await run.ask(GO_AHEAD, options=())
            if request.text != "again":
                workflow.continue_as_new(DeploysInput(text="again"))
            return await self.finish(request)


@workflow.defn(name="deploys")
class Faulty(Release):
    """Its code fails at the start."""

    @workflow.run
    async def run(self, request: DeploysInput) -> DeploysResult:
        raise RuntimeError(f"cannot take {len(request.text)} characters")
