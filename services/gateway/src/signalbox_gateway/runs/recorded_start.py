"""Reads what a run was started with from its history: the first event of its first execution."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

import msgspec
from msgspec import Struct, structs
from temporalio.api.common.v1 import Payload, WorkflowExecution
from temporalio.api.history.v1 import WorkflowExecutionStartedEventAttributes
from temporalio.api.workflowservice.v1 import GetWorkflowExecutionHistoryRequest
from temporalio.client import Client

from signalbox_core.errors import NotFound
from signalbox_core.secret import SEALED
from signalbox_core.temporal.claim_check import payload_tenant
from signalbox_gateway.runs.temporal_errors import map_temporal_errors

MASK: Final = "***"
"""What is shown in the place of a secret."""
_NULL: Final = msgspec.Raw(b"null")


class RecordedStart(Struct, frozen=True, kw_only=True):
    """The start of a run as Temporal recorded it.

    Attributes:
        input: the input as JSON; secrets are sealed strings. Of a plain workflow, the list of its arguments
            unless there is exactly one.
        priority: 1 to 5; None when the start set none.
    """

    input: msgspec.Raw
    priority: int | None


class MaskedInput(Struct, frozen=True, kw_only=True):
    """An input as it may be shown. `masked`: the paths of the secrets, as in `input.password`."""

    value: Any
    masked: tuple[str, ...]


async def read_recorded_start(
    client: Client, workflow_id: str, tenant: str, *, deadline: timedelta
) -> RecordedStart:
    """Read the start of a run.

    Args:
        tenant: the run's; an input that is sealed for another tenant is not opened.

    Raises:
        NotFound: there is no such run, or its input belongs to another tenant.
        Unavailable: Temporal is unavailable, or a payload key is missing.
    """
    async with map_temporal_errors():
        found = await client.get_workflow_handle(workflow_id).describe(rpc_timeout=deadline)
        first = found.raw_description.workflow_execution_info.first_run_id or found.run_id
        history = await client.workflow_service.get_workflow_execution_history(
            GetWorkflowExecutionHistoryRequest(
                namespace=client.namespace,
                execution=WorkflowExecution(workflow_id=found.id, run_id=first),
                maximum_page_size=1,
            ),
            timeout=deadline,
        )
    started = history.history.events[0].workflow_execution_started_event_attributes
    return RecordedStart(
        input=await _open_input(client, started, tenant), priority=started.priority.priority_key or None
    )


def mask_secrets(value: bytes | msgspec.Raw) -> MaskedInput:
    """Decode a recorded input with every sealed secret replaced by `MASK`. Pure."""
    masked: list[str] = []

    def mask(part: object, path: str) -> object:
        if isinstance(part, str) and SEALED.fullmatch(part):
            masked.append(path)
            return MASK
        if isinstance(part, dict):
            return {name: mask(item, f"{path}.{name}") for name, item in part.items()}
        if isinstance(part, list):
            return [mask(item, f"{path}[{index}]") for index, item in enumerate(part)]
        return part

    shown = mask(msgspec.json.decode(value), "input")
    return MaskedInput(value=shown, masked=tuple(masked))


def merge_input(recorded: msgspec.Raw, patch: Mapping[str, object] | None, kind: type[Struct]) -> bytes:
    """Apply a JSON merge patch (RFC 7396) to an input of this type.

    A null removes a member, so its default applies; a required member has none and becomes null.
    """
    if patch is None:
        return bytes(recorded)
    required = {field.encode_name for field in structs.fields(kind) if field.required}
    nulls = {name: None for name, value in patch.items() if value is None and name in required}
    return msgspec.json.encode({**_merged(msgspec.json.decode(recorded), patch), **nulls})


def sealed_strings(value: object) -> list[str]:
    """The sealed secrets in a recorded input."""
    if isinstance(value, str):
        return [value] if SEALED.fullmatch(value) else []
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [text for part in parts for text in sealed_strings(part)]


def _merged(target: object, patch: Mapping[str, object]) -> dict[str, object]:
    merged = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = _merged(merged.get(name), value) if isinstance(value, Mapping) else value
    return merged


async def _open_input(
    client: Client, started: WorkflowExecutionStartedEventAttributes, tenant: str
) -> msgspec.Raw:
    payloads = list(started.input.payloads)
    if not payloads:
        return _NULL
    codec = client.data_converter.payload_codec
    if codec is not None:
        if any(payload_tenant(codec, payload) not in (None, tenant) for payload in payloads):
            raise NotFound("the input of this run belongs to another tenant", code="unknown_run")
        payloads = await codec.decode(payloads)
    shown = [_as_json(payload) for payload in payloads]
    return shown[0] if len(shown) == 1 else msgspec.Raw(msgspec.json.encode(shown))


def _as_json(payload: Payload) -> msgspec.Raw:
    """Return the payload if it is JSON, else a text that describes it."""
    encoding = payload.metadata.get("encoding", b"").decode()
    if encoding.startswith("json/"):
        return msgspec.Raw(payload.data)
    text = None if encoding == "binary/null" else f"({len(payload.data)} bytes, {encoding})"
    return msgspec.Raw(msgspec.json.encode(text))
