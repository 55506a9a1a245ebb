"""Wire types of the OpenAI-compatible chat completions API, limited to the members in use.

Unknown ones are ignored.
"""

import msgspec
from msgspec import Struct


class ToolCall(Struct, frozen=True):
    """A call of a tool; no request offers tools, so its content does not matter."""


class ChatMessage(Struct, frozen=True, omit_defaults=True):
    """A message; `refusal` and `tool_calls` occur in responses only."""

    role: str
    content: str | None = None
    refusal: str | None = None
    tool_calls: tuple[ToolCall, ...] | None = None


class ResponseFormat(Struct, frozen=True):
    type: str = "json_object"


class ChatStreamOptions(Struct, frozen=True):
    include_usage: bool = True


class ChatRequest(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The request body. The client sets `model`, `stream` and `stream_options`."""

    messages: tuple[ChatMessage, ...]
    model: str = ""
    temperature: float | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    response_format: ResponseFormat | None = None
    stream: bool = False
    stream_options: ChatStreamOptions | None = None


class TokenUsage(Struct, frozen=True, kw_only=True):
    prompt_tokens: int = 0
    completion_tokens: int = 0


class ChatApiError(Struct, frozen=True, kw_only=True):
    """An error object. Only `message` is common to all servers."""

    message: str = ""
    code: str | int | None = None
    type: str | None = None
    param: str | None = None


class ChatApiErrorBody(Struct, frozen=True):
    error: ChatApiError | str


class ChunkDelta(Struct, frozen=True):
    content: str | None = None
    refusal: str | None = None
    tool_calls: tuple[ToolCall, ...] | None = None


class ChunkChoice(Struct, frozen=True, kw_only=True):
    delta: ChunkDelta = ChunkDelta()
    finish_reason: str | None = None


class ChatChunk(Struct, frozen=True, kw_only=True):
    """One event of a streamed completion.

    Attributes:
        error: an error in the middle of the stream.
        object: `error` where the event itself is the error object, with `message` and `code` (vLLM).
    """

    choices: tuple[ChunkChoice, ...] = ()
    usage: TokenUsage | None = None
    error: ChatApiError | str | None = None
    object: str = ""
    message: str = ""
    code: str | int | None = None

    @property
    def failure(self) -> ChatApiError | None:
        """The error that this event reports, in whichever form."""
        if isinstance(self.error, str):
            return ChatApiError(message=self.error)
        if self.error is None and self.object == "error":
            return ChatApiError(message=self.message, code=self.code)
        return self.error


class CompletionChoice(Struct, frozen=True, kw_only=True):
    message: ChatMessage
    finish_reason: str | None = None


class ChatCompletion(Struct, frozen=True, kw_only=True):
    """The response to a request that is not streamed."""

    choices: tuple[CompletionChoice, ...]
    usage: TokenUsage | None = None


decode_chunk = msgspec.json.Decoder(ChatChunk).decode
decode_completion = msgspec.json.Decoder(ChatCompletion).decode
