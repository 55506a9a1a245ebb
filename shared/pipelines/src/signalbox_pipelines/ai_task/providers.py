"""Who answers: one interface, two providers. Which one runs is decided by the input and the worker's settings."""

from collections.abc import AsyncGenerator, Mapping
from typing import Final, Protocol

import msgspec

from signalbox_core.chat_model.client import ModelClient, Piece
from signalbox_core.chat_model.settings import ModelSettings
from signalbox_core.chat_model.wire import Ask, Format, Usage
from signalbox_core.errors import InvalidInput, Rejected
from signalbox_pipelines.ai_task.contract import LOCAL, NOT_A_MODEL, REFUSES_TO_WRITE, AiTaskInput
from signalbox_pipelines.ai_task.local.fields import fields_of
from signalbox_pipelines.ai_task.local.labels import label_for
from signalbox_pipelines.ai_task.local.textrank import summary_of
from signalbox_pipelines.ai_task.messages import CallRequest
from signalbox_pipelines.ai_task.prompts import answer_schema, messages_for

LOCAL_MODEL: Final = "local-extractive/1"
_TEMPERATURE: Final[Mapping[str, float]] = {
    "summarise": 0.2,
    "extract": 0.0,
    "classify": 0.0,
    "generate": 0.7,
}


class Provider(Protocol):
    """Streams one answer; raises Rejected or Unavailable. It never tries again by itself."""

    def stream(self, request: CallRequest, *, idempotency_key: str) -> AsyncGenerator[Piece, None]: ...


class ModelProvider:
    """Any endpoint of the OpenAI-compatible API."""

    def __init__(self, settings: ModelSettings) -> None:
        self._client = ModelClient(settings)

    def stream(self, request: CallRequest, *, idempotency_key: str) -> AsyncGenerator[Piece, None]:
        task = request.task
        ask = Ask(
            messages=messages_for(task, missed=request.missed, problems=request.problems),
            temperature=_TEMPERATURE[task.task],
            max_tokens=task.max_output_tokens,
            response_format=Format() if answer_schema(task) is not None else None,
        )
        return self._client.stream(ask, idempotency_key=idempotency_key)


class LocalProvider:
    """Works without any service. Not a language model: every word of its answers is in the text, or is a rule's."""

    async def stream(self, request: CallRequest, *, idempotency_key: str) -> AsyncGenerator[Piece, None]:  # noqa: ARG002 - the protocol's
        for piece in _pieces(request.task):
            yield Piece(piece)
        yield Piece(finish="stop", usage=Usage())


def _pieces(task: AiTaskInput) -> list[str]:
    match task.task:
        case "summarise":
            sentences = summary_of(task.text, task.sentences)
            return [sentence if place == 0 else f" {sentence}" for place, sentence in enumerate(sentences)]
        case "classify":
            return [_json(label_for(task.text, task.labels))]
        case "extract":
            return [_json(fields_of(task.output_schema or {}, task.text))]
        case "generate":
            raise Rejected(REFUSES_TO_WRITE, code="provider_refuses", field="provider", label=NOT_A_MODEL)


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()


def choose(task: AiTaskInput, settings: ModelSettings | None) -> ModelSettings | None:
    """The model to ask, or None for the offline provider.

    Raises:
        InvalidInput: the input wants a model and the worker has none, or wants text that only a model can write.
    """
    if task.provider == "model" and settings is None:
        detail = "no language model is set up: set SIGNALBOX_WORKER_MODEL_URL and _NAME on the worker, or use provider local-extractive"
        raise InvalidInput(detail, field="provider", code="no_model")
    chosen = None if task.provider == LOCAL else settings
    if chosen is None and task.task == "generate":
        raise InvalidInput(REFUSES_TO_WRITE, field="provider", code="provider_refuses")
    return chosen
