"""Answer providers: a language model over HTTP, or the offline rules in `local`."""

from collections.abc import AsyncGenerator, Mapping
from datetime import timedelta
from typing import Final, Protocol

import msgspec

from signalbox_core.chat_model.client import ChatClient, CompletionChunk
from signalbox_core.chat_model.settings import ChatModelSettings
from signalbox_core.chat_model.wire import ChatRequest, ResponseFormat, TokenUsage
from signalbox_core.errors import InvalidInput, Rejected
from signalbox_core.pipeline.activity import current_tenant
from signalbox_core.process.cpu_pool import CpuPool
from signalbox_pipelines.ai_task.contract import (
    GENERATE_NEEDS_MODEL,
    LOCAL_PROVIDER,
    NOT_A_LANGUAGE_MODEL,
    AiTaskInput,
)
from signalbox_pipelines.ai_task.local.fields import extract_fields
from signalbox_pipelines.ai_task.local.labels import choose_label
from signalbox_pipelines.ai_task.local.textrank import summarise
from signalbox_pipelines.ai_task.messages import CallRequest
from signalbox_pipelines.ai_task.prompts import answer_schema, chat_messages

LOCAL_MODEL: Final = "local-extractive/1"
LOCAL_WITHIN: Final = timedelta(seconds=20)
"""Computing time of one offline answer."""
_TEMPERATURES: Final[Mapping[str, float]] = {
    "summarise": 0.2,
    "extract": 0.0,
    "classify": 0.0,
    "generate": 0.7,
}


class AnswerProvider(Protocol):
    """Streams one answer.

    Raises Rejected or Unavailable; it does not retry, because the workflow checks the budget before every
    attempt.
    """

    def stream(
        self, request: CallRequest, *, idempotency_key: str
    ) -> AsyncGenerator[CompletionChunk, None]: ...


class ModelProvider:
    """A language model with an OpenAI-compatible API."""

    def __init__(self, settings: ChatModelSettings) -> None:
        self._client = ChatClient(settings)

    def stream(self, request: CallRequest, *, idempotency_key: str) -> AsyncGenerator[CompletionChunk, None]:
        task = request.task
        chat_request = ChatRequest(
            messages=chat_messages(task, missed=request.missed, problems=request.problems),
            temperature=_TEMPERATURES[task.task],
            max_tokens=task.max_output_tokens,
            response_format=ResponseFormat() if answer_schema(task) is not None else None,
        )
        return self._client.stream(chat_request, idempotency_key=idempotency_key)


class LocalProvider:
    """The offline provider. Not a language model: it extracts from the text by rules and word counts."""

    def __init__(self, cpu: CpuPool) -> None:
        self._cpu = cpu

    async def stream(
        self,
        request: CallRequest,
        *,
        idempotency_key: str,  # noqa: ARG002 - required by the protocol
    ) -> AsyncGenerator[CompletionChunk, None]:
        answer = await self._cpu.run(
            local_answer, request.task, tenant=current_tenant(), within=LOCAL_WITHIN, subject="text"
        )
        for text in answer:
            yield CompletionChunk(text)
        yield CompletionChunk(finish_reason="stop", usage=TokenUsage())


def local_answer(task: AiTaskInput) -> list[str]:
    """Return the offline answer in pieces."""
    match task.task:
        case "summarise":
            sentences = summarise(task.text, task.sentences)
            return [sentence if index == 0 else f" {sentence}" for index, sentence in enumerate(sentences)]
        case "classify":
            return [_to_json(choose_label(task.text, task.labels))]
        case "extract":
            return [_to_json(extract_fields(task.output_schema or {}, task.text))]
        case "generate":
            raise Rejected(
                GENERATE_NEEDS_MODEL, code="provider_refuses", field="provider", label=NOT_A_LANGUAGE_MODEL
            )


def _to_json(value: object) -> str:
    return msgspec.json.encode(value).decode()


def select_model(task: AiTaskInput, settings: ChatModelSettings | None) -> ChatModelSettings | None:
    """Return the model to call; None for the offline provider.

    Raises:
        InvalidInput: `no_model`: the input requires a model and none is configured; `provider_refuses`: only
            a model can do the task.
    """
    if task.provider == "model" and settings is None:
        raise InvalidInput(
            "no language model is configured; set SIGNALBOX_WORKER_MODEL_URL and SIGNALBOX_WORKER_MODEL_NAME "
            "on the worker, or use provider local-extractive",
            field="provider",
            code="no_model",
        )
    model = None if task.provider == LOCAL_PROVIDER else settings
    if model is None and task.task == "generate":
        raise InvalidInput(GENERATE_NEEDS_MODEL, field="provider", code="provider_refuses")
    return model
