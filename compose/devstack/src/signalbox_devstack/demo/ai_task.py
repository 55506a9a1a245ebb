"""The demo of ai_task: a summary appears word by word; the first attempt breaks off in the middle, the second one finishes.

The worker's own model answers when one is set up in the environment, else the simulated model server, which is no language model.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec

from signalbox_client.cli_runs import save_artifacts
from signalbox_client.models import Approval
from signalbox_client.stream_follower import Update
from signalbox_core.errors import Unavailable
from signalbox_devstack.demo.scenario import Ending, Question, Setup, Stage, own_questions
from signalbox_pipelines.ai_task.contract import AiTaskResult

_URL: Final = "SIGNALBOX_WORKER_MODEL_URL"
_NAME: Final = "SIGNALBOX_WORKER_MODEL_NAME"
_SIMULATED: Final = "sim@cut:1"
_TEXT: Final = """\
The canal at Ben Nghe carries rice to the port. Every morning forty boats wait at the lock for the tide. The lock keeper writes down each \
boat and its load. In March the lock was closed for nine days, because a gate had to be replaced. Rice became dearer in the city, and two \
mills stood still. The boats carried their rice to the railway instead, which took three days longer. Since April the lock has worked by \
day and by night. The lock keeper has an assistant now, and boats with rice pass first. The mills ask for a second gate, so that a repair \
closes the canal no more. The port says that it will pay half of it."""


class AiTask:
    pipeline = "ai_task"

    def setup(self, environ: Mapping[str, str]) -> Setup:
        return (
            Setup()
            if _URL in environ
            else Setup(also=("model_api",), environ={_NAME: environ.get(_NAME, _SIMULATED)})
        )

    async def prepare(self, stage: Stage) -> Mapping[str, object]:  # noqa: ARG002 - the protocol's
        return {"task": "summarise", "text": _TEXT, "sentences": 5}

    def questions(self, update: Update) -> Sequence[Question]:
        return own_questions(update)

    def answer(self, approval: Approval) -> Mapping[str, object]:
        raise Unavailable(f"ai_task asks nobody, yet it asks {approval.title!r}")

    async def finish(self, stage: Stage, run_id: str) -> Ending:
        run = await stage.session.client.run(run_id)
        result = msgspec.json.decode(await stage.session.client.result(run_id), type=AiTaskResult)
        saved = await save_artifacts(stage.session, run, run.artifacts, stage.folder)
        return Ending(
            title="The answer",
            paths=tuple(Path(item.path) for item in saved),
            lines=_told(result, stage.environ),
        )


def _told(result: AiTaskResult, environ: Mapping[str, str]) -> tuple[str, ...]:
    simulated = (
        ""
        if _URL in environ
        else " (the dev stack's simulated model server: no language model, it repeats sentences)"
    )
    usage = result.usage
    attempts = ", ".join(f"{attempt.number} {attempt.outcome}" for attempt in result.attempts)
    return (
        result.text,
        "",
        f"by {result.model}{simulated}",
        f"attempts: {attempts}",
        f"{usage.input_tokens:,} tokens read, {usage.output_tokens:,} written{' (estimated)' if usage.estimated else ''}",
    )
