"""Activities of ai_task.

The only stored object is the answer, written create-only under the hash of its content.
"""

from datetime import timedelta
from hashlib import sha256
from typing import Final

from msgspec.structs import asdict, replace
from temporalio import activity

from signalbox_core.chat_model.settings import read_model_settings
from signalbox_core.errors import SignalboxError
from signalbox_core.pipeline.activity import current_tenant, progress, restart_output
from signalbox_core.pipeline.deps import ActivityDeps
from signalbox_pipelines.ai_task.answers import check_answer
from signalbox_pipelines.ai_task.call_plan import plan_call
from signalbox_pipelines.ai_task.contract import AiTaskInput
from signalbox_pipelines.ai_task.messages import (
    CallPlan,
    CallRequest,
    CheckedAnswer,
    ModelReply,
    ProcessRequest,
)
from signalbox_pipelines.ai_task.partial_output import PartialOutput, collect_output
from signalbox_pipelines.ai_task.providers import AnswerProvider, LocalProvider, ModelProvider

_CHECK_WITHIN: Final = timedelta(seconds=20)


class AiActivities:
    """The activities of ai_task, with their dependencies."""

    def __init__(self, deps: ActivityDeps) -> None:
        self._objects = deps.objects
        self._cpu = deps.cpu
        self._settings = read_model_settings(deps.environ)
        self._local: AnswerProvider = LocalProvider(deps.cpu)
        self._model: AnswerProvider | None = ModelProvider(self._settings) if self._settings else None

    @activity.defn(name="ai_task.validate_input")
    async def validate_input(self, task: AiTaskInput) -> CallPlan:
        """Select the provider and check the input against the budget. Idempotent: pure."""
        return plan_call(task, self._settings)

    @activity.defn(name="ai_task.call_model")
    async def call_model(self, request: CallRequest) -> ModelReply:
        """Make one call and publish the answer as progress while it is generated.

        Idempotent on servers that support `Idempotency-Key` (run id and activity id, equal for every
        attempt). On other servers a repeated call generates a new answer, and only the answer of the
        successful attempt is used.
        """
        if request.number > 1:
            restart_output(request.number)
        output = PartialOutput()
        chunks = self._provider(request.plan).stream(request, idempotency_key=_idempotency_key())

        def report(new_text: str) -> None:
            message = f"{output.chars} characters" if output.chars else f"waiting for {request.plan.model}"
            progress(output.chars, message=message, text=new_text or None)

        try:
            await collect_output(chunks, output, report, max_tokens=request.task.max_output_tokens)
        except SignalboxError as error:
            # The workflow charges a failed attempt to the budget, too.
            error.facts = {**error.facts, **asdict(output.attempt_usage(request.plan.input_tokens))}
            raise
        usage = output.attempt_usage(request.plan.input_tokens)
        return ModelReply(text=output.text, spent=usage, truncated=output.finish_reason == "length")

    @activity.defn(name="ai_task.process_result")
    async def process_result(self, request: ProcessRequest) -> CheckedAnswer:
        """Validate the answer and store it. Idempotent by run and hash of the answer."""
        checked = await self._cpu.run(
            check_answer,
            request.task,
            request.text,
            tenant=current_tenant(),
            within=_CHECK_WITHIN,
            subject="answer",
        )
        if checked.problems:
            return checked
        body = checked.text.encode()
        extension = "json" if checked.media_type == "application/json" else "txt"
        key = f"ai_task/{activity.info().workflow_id}/{sha256(body).hexdigest()[:16]}.{extension}"
        ref = await self._objects.put_new(key, body, checked.media_type)
        return replace(checked, key=ref.key, size_bytes=len(body))

    def _provider(self, plan: CallPlan) -> AnswerProvider:
        return self._model if plan.provider == "model" and self._model is not None else self._local


def _idempotency_key() -> str:
    info = activity.info()
    return f"{info.workflow_id}:{info.activity_id}"
