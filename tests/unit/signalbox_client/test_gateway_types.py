"""The client's response types read what the gateway's types write, compared field by field.

Two sets, because their tolerance differs: the gateway requires every field that it documents; the
client reads an older or newer gateway, and so has defaults and leaves fields out.
"""

from collections.abc import Iterator
from typing import Literal

import msgspec
import pytest
from msgspec import inspect

from signalbox_client import models
from signalbox_client.problems import ReceivedProblem
from signalbox_client.wire import schedule_models
from signalbox_core.http.problems import Problem
from signalbox_gateway.api import schemas
from signalbox_gateway.api.schedules import schemas as schedule_schemas
from signalbox_gateway.api.votes.bulk_schemas import DecideManyResponse
from signalbox_gateway.runs import views
from signalbox_gateway.runs.inbox import InboxView

PAIRS = [
    (models.CallerIdentity, schemas.Identity),
    (models.PipelineList, schemas.PipelineListView),
    (models.Uploaded, schemas.UploadResponse),
    (models.Started, schemas.StartResponse),
    (models.Retried, schemas.RetryResponse),
    (models.RunInput, schemas.RunInputView),
    (models.RunPage, schemas.RunPageView),
    (models.Run, views.RunView),
    (models.Approval, views.ApprovalView),
    (models.Inbox, InboxView),
    (models.Decided, schemas.DecideResponse),
    (models.BulkOutcomes, DecideManyResponse),
    (models.Accepted, schemas.ControlResponse),
    (models.Assigned, schemas.AssignmentView),
    (schedule_models.ScheduleList, schedule_schemas.ScheduleListView),
    (schedule_models.Triggered, schedule_schemas.TriggeredView),
    (schedule_models.Backfilled, schedule_schemas.BackfilledView),
    (ReceivedProblem, Problem),
]


@pytest.mark.parametrize(("read", "written"), PAIRS, ids=lambda kind: f"{kind.__module__}.{kind.__name__}")
def test_the_client_reads_what_the_gateway_writes(
    read: type[msgspec.Struct], written: type[msgspec.Struct]
) -> None:
    assert list(mismatches(inspect.type_info(read), inspect.type_info(written), "")) == []


def test_a_mismatch_is_found() -> None:
    class Written(msgspec.Struct):
        name: str
        size: int | None
        kind: Literal["a", "b"]
        late: str = ""

    class Read(msgspec.Struct):
        name: int
        size: int
        kind: Literal["a"]
        late: str
        colour: str

    found = list(mismatches(inspect.type_info(Read), inspect.type_info(Written), ""))

    assert found == [
        ".name: str is not read",
        ".size: null is not read",
        ".kind: the values ['b'] are not read",
        ".late: the gateway may leave it out",
        ".colour: the gateway does not write it",
    ]


def mismatches(read: inspect.Type, written: inspect.Type, path: str) -> Iterator[str]:
    """Where `read` does not accept all that `written` allows."""
    readable = {json_type(kind): kind for kind in alternatives(read)}
    if "any" in readable:
        return
    for kind in alternatives(written):
        reader = readable.get(json_type(kind))
        if reader is None:
            yield f"{path}: {json_type(kind)} is not read"
        elif isinstance(reader, inspect.StructType) and isinstance(kind, inspect.StructType):
            yield from field_mismatches(reader, kind, path)
        elif isinstance(reader, inspect.VarTupleType) and isinstance(kind, inspect.VarTupleType):
            yield from mismatches(reader.item_type, kind.item_type, f"{path}[]")
        elif isinstance(reader, inspect.LiteralType | inspect.EnumType):
            unread = values_of(kind) - values_of(reader)
            if unread:
                yield f"{path}: the values {sorted(unread)} are not read"


def field_mismatches(read: inspect.StructType, written: inspect.StructType, path: str) -> Iterator[str]:
    given = {field.encode_name: field for field in written.fields}
    for field in read.fields:
        name = field.encode_name
        if name not in given:
            yield f"{path}.{name}: the gateway does not write it"
            continue
        yield from mismatches(field.type, given[name].type, f"{path}.{name}")
        if field.required and not given[name].required:
            yield f"{path}.{name}: the gateway may leave it out"


def alternatives(kind: inspect.Type) -> tuple[inspect.Type, ...]:
    kind = kind.type if isinstance(kind, inspect.Metadata) else kind
    return kind.types if isinstance(kind, inspect.UnionType) else (kind,)


def json_type(kind: inspect.Type) -> str:
    match kind:
        case inspect.RawType() | inspect.AnyType():
            return "any"
        case inspect.NoneType():
            return "null"
        case inspect.StrType() | inspect.LiteralType() | inspect.EnumType():
            return "str"
        case inspect.StructType() | inspect.DictType():
            return "object"
        case _:
            return type(kind).__name__


def values_of(kind: inspect.Type) -> set[str]:
    match kind:
        case inspect.LiteralType():
            return set(map(str, kind.values))
        case inspect.EnumType():
            return {str(member.value) for member in kind.cls}
        case _:
            return {"any other"}
