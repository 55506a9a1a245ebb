"""The messages of the OpenAI-compatible chat API, as far as we use it. Unknown members are ignored."""

import msgspec
from msgspec import Struct


class Message(Struct, frozen=True):
    role: str
    content: str | None = None


class Format(Struct, frozen=True):
    type: str = "json_object"


class StreamOptions(Struct, frozen=True):
    include_usage: bool = True


class Ask(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A request; `model` and `stream` are filled in by the client."""

    messages: tuple[Message, ...]
    model: str = ""
    temperature: float | None = None
    max_tokens: int | None = None
    response_format: Format | None = None
    stream: bool = False
    stream_options: StreamOptions | None = None


class Usage(Struct, frozen=True, kw_only=True):
    prompt_tokens: int = 0
    completion_tokens: int = 0


class Problem(Struct, frozen=True, kw_only=True):
    """Servers differ in all but the message."""

    message: str = ""
    code: str | int | None = None
    type: str | None = None


class Failed(Struct, frozen=True):
    error: Problem | str


class Delta(Struct, frozen=True):
    content: str | None = None


class StreamChoice(Struct, frozen=True, kw_only=True):
    delta: Delta = Delta()
    finish_reason: str | None = None


class StreamChunk(Struct, frozen=True, kw_only=True):
    choices: tuple[StreamChoice, ...] = ()
    usage: Usage | None = None
    error: Problem | None = None


class Choice(Struct, frozen=True, kw_only=True):
    message: Message
    finish_reason: str | None = None


class Answer(Struct, frozen=True, kw_only=True):
    choices: tuple[Choice, ...]
    usage: Usage | None = None


read_chunk = msgspec.json.Decoder(StreamChunk).decode
read_answer = msgspec.json.Decoder(Answer).decode
