"""The chat API's messages, from the server's side."""

from msgspec import Struct


class Message(Struct, frozen=True):
    role: str
    content: str | None = None


class Format(Struct, frozen=True):
    type: str


class StreamOptions(Struct, frozen=True):
    include_usage: bool = False


class Ask(Struct, frozen=True, kw_only=True):
    model: str
    messages: tuple[Message, ...]
    stream: bool = False
    stream_options: StreamOptions | None = None
    max_tokens: int | None = None
    response_format: Format | None = None


class Usage(Struct, frozen=True, kw_only=True):
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
