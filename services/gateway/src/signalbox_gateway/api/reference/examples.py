"""Examples: hand-written request bodies, and values made from a schema. Pure."""

from collections.abc import Mapping, Sequence
from typing import Final

from msgspec import Struct

from signalbox_gateway.api import schemas
from signalbox_gateway.api.access import token_schemas
from signalbox_gateway.api.reference.api_document import Schema
from signalbox_gateway.api.schedules.schemas import CreateSchedule

BODY_EXAMPLES: Final[Mapping[type[Struct], object]] = {
    schemas.StartRun: {"pipeline": "ad_creative", "input": {"url": "https://shop.example/coffee"}},
    schemas.CancelRun: {"reason": "The page was taken down"},
    schemas.RetryRun: {"from": "failed"},
    schemas.Decide: {
        "answer": {"decisions": [{"variant": "v1", "action": "approve"}]},
        "note": "Fits the brand",
    },
    schemas.RaiseObjection: {"reason": "The price is wrong"},
    schemas.DelegateApproval: {"to": "group:marketing", "note": "Please check the claims"},
    CreateSchedule: {
        "schedule_id": "nightly",
        "pipeline": "ad_creative",
        "input": {"url": "https://shop.example/coffee"},
        "cron": ["0 6 * * *"],
        "time_zone": "Asia/Ho_Chi_Minh",
    },
    schemas.SignIn: {"api_key": "sbx_…"},
    token_schemas.MintToken: {
        "allow": [{"watch": "run-7k2m"}],
        "times": 1,
        "expires_in": 900,
    },
    token_schemas.AskTicket: {"runs": ["run-7k2m"]},
}
"""What a person would send; a test decodes each with the type of its body."""
_TEXTS: Final[Mapping[str, str]] = {
    "run_id": "run-7k2m",
    "pipeline": "ad_creative",
    "approval_id": "variants",
    "decision_id": "decision-1",
    "digest": "sha256:9f86d081…",
    "url": "/v1/runs/run-7k2m",
    "queue": "ad_creative",
    "schedule_id": "nightly",
    "token": "sbt_…",
    "subject": "key:lan",
    "tenant": "acme",
}
_FORMATS: Final[Mapping[str, str]] = {"date-time": "2026-03-01T09:30:00Z", "date": "2026-03-01"}
_MAX_DEPTH: Final = 7


def text_for(name: str) -> str:
    """The example of a text with this name."""
    return _TEXTS.get(name, "…")


def example_of(
    schema: object, components: Mapping[str, Schema], *, name: str = "", complete: bool, depth: int = 0
) -> object:
    """A value that a schema accepts.

    Args:
        name: of the member, which chooses its text.
        complete: with the optional members too.
    """
    if not isinstance(schema, Mapping) or depth > _MAX_DEPTH:
        return None
    if "$ref" in schema:
        target = components.get(str(schema["$ref"]).rpartition("/")[2], {})
        return example_of(target, components, name=name, complete=complete, depth=depth + 1)
    for key in ("const", "default"):
        if schema.get(key) is not None:
            return schema[key]
    for key in ("examples", "enum"):
        if isinstance(listed := schema.get(key), Sequence) and listed:
            return listed[0]
    if alternatives := _alternatives(schema):
        return example_of(alternatives[0], components, name=name, complete=complete, depth=depth + 1)
    return _example_of_type(schema, components, name=name, complete=complete, depth=depth)


def _alternatives(schema: Mapping[str, object]) -> list[object]:
    listed = schema.get("anyOf") or schema.get("oneOf")
    found = listed if isinstance(listed, Sequence) else ()
    return [item for item in found if not (isinstance(item, Mapping) and item.get("type") == "null")]


def _example_of_type(
    schema: Mapping[str, object],
    components: Mapping[str, Schema],
    *,
    name: str,
    complete: bool,
    depth: int,
) -> object:
    match schema.get("type"):
        case "object":
            return _example_object(schema, components, complete=complete, depth=depth)
        case "array":
            item = example_of(schema.get("items"), components, name=name, complete=complete, depth=depth + 1)
            return [item] if item is not None else []
        case "string":
            return _FORMATS.get(str(schema.get("format", "")), text_for(name))
        case "integer" | "number":
            return schema.get("minimum", 1)
        case "boolean":
            return False
        case _:
            return {} if not schema.get("type") else None


def _example_object(
    schema: Mapping[str, object], components: Mapping[str, Schema], *, complete: bool, depth: int
) -> dict[str, object]:
    properties, required = schema.get("properties"), schema.get("required")
    members = properties if isinstance(properties, Mapping) else {}
    needed = required if isinstance(required, Sequence) else ()
    return {
        member: example_of(part, components, name=member, complete=complete, depth=depth + 1)
        for member, part in members.items()
        if complete or member in needed
    }
