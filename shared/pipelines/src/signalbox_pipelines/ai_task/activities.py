"""The work of ai_task. Nothing is kept but the answer, create-only under its content's hash."""

import asyncio
from hashlib import sha256

from msgspec.structs import replace
from temporalio import activity

from signalbox_core.chat_model.settings import model_settings
from signalbox_core.errors import SignalboxError
from signalbox_core.pipeline.activity import progress, restart_output
from signalbox_core.pipeline.deps import ActivityDeps
from signalbox_pipelines.ai_task.answers import checked_answer
from signalbox_pipelines.ai_task.contract import AiTaskInput
from signalbox_pipelines.ai_task.messages import CallRequest, Checked, Plan, ProcessRequest, Reply
from signalbox_pipelines.ai_task.partial_output import Gathered, relay
from signalbox_pipelines.ai_task.plan import plan_for
from signalbox_pipelines.ai_task.providers import LocalProvider, ModelProvider, Provider


class AiActivities:
    """The pipeline's activities, given what they may use."""

    def __init__(self, deps: ActivityDeps) -> None:
        self._objects = deps.objects
        self._settings = model_settings(deps.environ)
        self._local: Provider = LocalProvider()
        self._model: Provider | None = ModelProvider(self._settings) if self._settings is not None else None

    @activity.defn(name="ai_task.validate_input")
    async def validate_input(self, task: AiTaskInput) -> Plan:
        """Say who answers and refuse what cannot be done. Idempotent: pure."""
        return plan_for(task, self._settings)

    @activity.defn(name="ai_task.call_model")
    async def call_model(self, request: CallRequest) -> Reply:
        """Ask once and tell the answer while it is written. A server that knows the `Idempotency-Key` (run id and activity id, the
        same for every attempt) answers a repetition once; for any other, only the attempt that succeeds counts."""
        if request.number > 1:
            restart_output(request.number)
        gathered = Gathered()
        pieces = self._provider(request.plan).stream(request, idempotency_key=_key())

        def tell(news: str) -> None:
            written = (
                f"{gathered.chars} characters" if gathered.chars else f"waiting for {request.plan.model}"
            )
            progress(gathered.chars, message=written, text=news or None)

        try:
            await relay(pieces, gathered, tell, max_tokens=request.task.max_output_tokens)
        except SignalboxError as error:
            spent = gathered.spent(request.plan.input_tokens)
            error.facts = {**error.facts, **{name: getattr(spent, name) for name in spent.__struct_fields__}}
            raise
        spent = gathered.spent(request.plan.input_tokens)
        return Reply(text=gathered.text, spent=spent, truncated=gathered.finish == "length")

    @activity.defn(name="ai_task.process_result")
    async def process_result(self, request: ProcessRequest) -> Checked:
        """Check the answer and keep it. Idempotent by (run, hash of the answer)."""
        checked = await asyncio.to_thread(checked_answer, request.task, request.text)
        if checked.problems:
            return checked
        body = checked.text.encode()
        ending = "json" if checked.media_type == "application/json" else "txt"
        key = f"ai_task/{activity.info().workflow_id}/{sha256(body).hexdigest()[:16]}.{ending}"
        ref = await self._objects.put_new(key, body, checked.media_type)
        return replace(checked, key=ref.key, size_bytes=len(body))

    def _provider(self, plan: Plan) -> Provider:
        return self._model if plan.provider == "model" and self._model is not None else self._local


def _key() -> str:
    info = activity.info()
    return f"{info.workflow_id}:{info.activity_id}"
