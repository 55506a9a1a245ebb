"""The request and response types of the chat API that the server uses."""

from msgspec import Struct


class PromptMessage(Struct, frozen=True):
    role: str
    content: str | None = None


class RequestedFormat(Struct, frozen=True):
    type: str


class RequestedStreamOptions(Struct, frozen=True):
    include_usage: bool = False


class CompletionRequest(Struct, frozen=True, kw_only=True):
    model: str
    messages: tuple[PromptMessage, ...]
    stream: bool = False
    stream_options: RequestedStreamOptions | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    temperature: float | None = None
    response_format: RequestedFormat | None = None

    @property
    def length_limit(self) -> int | None:
        return self.max_tokens if self.max_tokens is not None else self.max_completion_tokens


class CompletionUsage(Struct, frozen=True, kw_only=True):
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
