"""The OpenAPI document as the page /docs reads it: typed, without what the page does not show."""

from collections.abc import Iterator, Mapping

import msgspec
from msgspec import Struct

Schema = dict[str, object]


class MediaContent(Struct, frozen=True):
    schema: Schema = {}
    example: object = None


class ParameterObject(Struct, frozen=True):
    """`place`: path, query or header."""

    name: str
    place: str = msgspec.field(name="in")
    required: bool = False
    schema: Schema = {}
    description: str = ""


class BodyObject(Struct, frozen=True):
    content: dict[str, MediaContent]


class ReplyObject(Struct, frozen=True):
    description: str
    content: dict[str, MediaContent] = {}


class OperationObject(Struct, frozen=True, rename="camel"):
    operation_id: str
    summary: str
    description: str
    tags: tuple[str, ...]
    responses: dict[str, ReplyObject]
    parameters: tuple[ParameterObject, ...] = ()
    request_body: BodyObject | None = None
    security: tuple[dict[str, list[str]], ...] | None = None


class ApiInfo(Struct, frozen=True):
    title: str
    version: str
    description: str


class ApiComponents(Struct, frozen=True):
    schemas: dict[str, Schema]


class ApiDocument(Struct, frozen=True):
    info: ApiInfo
    paths: dict[str, dict[str, OperationObject]]
    components: ApiComponents


class ApiOperation(Struct, frozen=True, kw_only=True):
    """One operation, with its method and its path."""

    method: str
    path: str
    described: OperationObject

    @property
    def name(self) -> str:
        return self.described.operation_id

    @property
    def tag(self) -> str:
        return self.described.tags[0]

    @property
    def needs_credentials(self) -> bool:
        return self.described.security is None or self.described.security != ()

    @property
    def body(self) -> tuple[str, MediaContent] | None:
        """The media type and the content of the request body."""
        found = self.described.request_body
        return next(iter(found.content.items())) if found is not None else None

    @property
    def reply_media_type(self) -> str:
        """The media type of the first reply, which is that of success; empty if it has no body."""
        return next((media for reply in self.described.responses.values() for media in reply.content), "")

    @property
    def is_stream(self) -> bool:
        return self.reply_media_type == "text/event-stream"


def operations(document: ApiDocument) -> Iterator[ApiOperation]:
    for path, item in document.paths.items():
        for method, described in item.items():
            yield ApiOperation(method=method.upper(), path=path, described=described)


def tag_of(path: str) -> str:
    """The group of an operation in the index: by the resource that its path names."""
    words = [word for word in path.strip("/").split("/") if not word.startswith("{")]
    if words[0] != "v1":
        return "Service"
    if {"approvals", "links", "ledger"} & set(words):
        return "Approvals"
    if {"artifacts", "objects"} & set(words):
        return "Files"
    known: Mapping[str, str] = {
        "sessions": "Access",
        "tokens": "Access",
        "stream-tickets": "Access",
        "stream": "Runs",
        "codec": "Service",
        "destinations": "Notifications",
    }
    return known.get(words[1], words[1].replace("-", " ").capitalize())
