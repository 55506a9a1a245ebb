"""The demo of ai_task: a summary that streams word by word; the first attempt is cut off and retried.

Uses the model that the environment configures for the worker, else the simulated model server, which is not
a language model.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec

from signalbox_client.commands.runs import save_artifacts
from signalbox_client.models import Approval
from signalbox_client.stream_follower import Update
from signalbox_core.errors import Unavailable
from signalbox_devstack.demo.scenario import (
    DemoContext,
    DemoResult,
    DemoSetup,
    PendingApproval,
    approvals_of_run,
)
from signalbox_pipelines.ai_task.contract import AiTaskResult

_URL: Final = "SIGNALBOX_WORKER_MODEL_URL"
_NAME: Final = "SIGNALBOX_WORKER_MODEL_NAME"
_SIMULATED: Final = "sim@cut:1"
_TEXT: Final = """\
The canal at Ben Nghe carries rice to the port. Every morning forty boats wait at the lock for the tide. \
The lock keeper writes down each boat and its load. In March the lock was closed for nine days, because \
a gate had to be replaced. Rice became dearer in the city, and two mills stood still. The boats carried \
their rice to the railway instead, which took three days longer. Since April the lock has worked by day \
and by night. The lock keeper has an assistant now, and boats with rice pass first. The mills ask for a \
second gate, so that a repair closes the canal no more. The port says that it will pay half of it."""


class AiTaskDemo:
    pipeline = "ai_task"

    def setup(self, environ: Mapping[str, str]) -> DemoSetup:
        return (
            DemoSetup()
            if _URL in environ
            else DemoSetup(also=("model_api",), environ={_NAME: environ.get(_NAME, _SIMULATED)})
        )

    async def prepare(self, context: DemoContext) -> Mapping[str, object]:  # noqa: ARG002
        return {"task": "summarise", "text": _TEXT, "sentences": 5}

    def pending_approvals(self, update: Update) -> Sequence[PendingApproval]:
        return approvals_of_run(update)

    def answer(self, approval: Approval) -> Mapping[str, object]:
        raise Unavailable(f"the demo has no predefined answer to {approval.title!r}: run it in a terminal")

    async def finish(self, context: DemoContext, run_id: str) -> DemoResult:
        run = await context.session.client.run(run_id)
        result = msgspec.json.decode(await context.session.client.result(run_id), type=AiTaskResult)
        saved = await save_artifacts(context.session, run, run.artifacts, context.folder)
        return DemoResult(
            title="The summary",
            paths=tuple(Path(item.path) for item in saved),
            lines=_summary_lines(result, context.environ),
        )


def _summary_lines(result: AiTaskResult, environ: Mapping[str, str]) -> tuple[str, ...]:
    simulated = (
        ""
        if _URL in environ
        else " (the simulated model server of the dev stack: no language model, it repeats the input)"
    )
    usage = result.usage
    attempts = ", ".join(f"{attempt.number} {attempt.outcome}" for attempt in result.attempts)
    estimated = " (estimated)" if usage.estimated else ""
    return (
        result.text,
        "",
        f"model: {result.model}{simulated}",
        f"attempts: {attempts}",
        f"tokens: {usage.input_tokens:,} in, {usage.output_tokens:,} out{estimated}",
    )
