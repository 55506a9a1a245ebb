"""Every request of the API as a value: what to send, and the type of the response. Pure; no I/O."""

import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, Generic, TypeVar
from urllib.parse import quote

import msgspec
from msgspec import Struct

from signalbox_client import models
from signalbox_client.shown_question import verified_digest
from signalbox_client.wire import event_models
from signalbox_client.wire.passkey_models import PasskeyList

T = TypeVar("T", bound=Struct)
MAX_DECISIONS: Final = 100
"""How many decisions the gateway accepts in one request."""
_MAX_BODY_BYTES: Final = 1_000_000


class ApiRequest(Struct, Generic[T], frozen=True, kw_only=True):
    """One request. Every request is idempotent, so it can be retried after a lost connection."""

    method: str
    path: str
    response_type: type[T]
    query: Mapping[str, str] = {}
    body: bytes | None = None
    headers: Mapping[str, str] = {}


class DecisionBody(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`digest` makes the gateway refuse the decision if the question has changed since it was read."""

    answer: msgspec.Raw
    decision_id: str
    digest: str | None = None
    note: str | None = None


class ManyDecision(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One of many decisions."""

    run_id: str
    approval_id: str
    answer: msgspec.Raw
    decision_id: str
    digest: str | None = None
    note: str | None = None


class ObjectionBody(Struct, frozen=True, kw_only=True, omit_defaults=True):
    reason: str
    decision_id: str
    digest: str | None = None


class StartBody(Struct, frozen=True, kw_only=True, omit_defaults=True):
    pipeline: str
    input: msgspec.Raw
    run_id: str | None = None
    priority: int | None = None
    tags: tuple[str, ...] = ()


def list_pipelines() -> ApiRequest[models.PipelineList]:
    return ApiRequest(method="GET", path="/v1/pipelines", response_type=models.PipelineList)


def get_pipeline(name: str) -> ApiRequest[models.Pipeline]:
    return ApiRequest(
        method="GET", path=f"/v1/pipelines/{_quote_segment(name)}", response_type=models.Pipeline
    )


def start_run(start: StartBody, idempotency_key: str | None) -> ApiRequest[models.Started]:
    """Start a run; without an idempotency key, a random one makes retries start only one run."""
    headers = {"idempotency-key": idempotency_key or uuid.uuid4().hex}
    return ApiRequest(
        method="POST",
        path="/v1/runs",
        response_type=models.Started,
        body=msgspec.json.encode(start),
        headers=headers,
    )


def list_runs(
    query: str, *, status: str | None, pipeline: str | None, limit: int, cursor: str | None
) -> ApiRequest[models.RunPage]:
    parameters = {"q": query, "status": status, "pipeline": pipeline, "limit": str(limit), "cursor": cursor}
    return ApiRequest(
        method="GET",
        path="/v1/runs",
        response_type=models.RunPage,
        query={name: value for name, value in parameters.items() if value},
    )


def get_identity() -> ApiRequest[models.CallerIdentity]:
    return ApiRequest(method="GET", path="/v1/sessions", response_type=models.CallerIdentity)


def get_run(run_id: str) -> ApiRequest[models.Run]:
    return ApiRequest(method="GET", path=run_path(run_id), response_type=models.Run)


def get_input(run_id: str) -> ApiRequest[models.RunInput]:
    return ApiRequest(method="GET", path=f"{run_path(run_id)}/input", response_type=models.RunInput)


def send_event_to_run(
    run_id: str, name: str, event_id: str, data: object
) -> ApiRequest[event_models.EventDelivery]:
    return ApiRequest(
        method="POST",
        path=f"{run_path(run_id)}/events/{_quote_segment(name)}",
        response_type=event_models.EventDelivery,
        body=msgspec.json.encode({"event_id": event_id, "data": data}),
    )


def send_event(
    name: str, key: str | None, event_id: str, data: object
) -> ApiRequest[event_models.EventDeliveries]:
    return ApiRequest(
        method="POST",
        path=f"/v1/events/{_quote_segment(name)}",
        response_type=event_models.EventDeliveries,
        body=msgspec.json.encode({"event_id": event_id, "data": data} | ({"key": key} if key else {})),
    )


def list_approvals(cursor: str | None, *, mine: bool) -> ApiRequest[models.Inbox]:
    query = (
        {"status": "pending"} | ({"mine": "true"} if mine else {}) | ({"cursor": cursor} if cursor else {})
    )
    return ApiRequest(method="GET", path="/v1/approvals", response_type=models.Inbox, query=query)


def list_decided(limit: int) -> ApiRequest[models.Inbox]:
    query = {"status": "decided", "limit": str(limit)}
    return ApiRequest(method="GET", path="/v1/approvals", response_type=models.Inbox, query=query)


def get_approval(run_id: str, approval_id: str) -> ApiRequest[models.Approval]:
    return ApiRequest(method="GET", path=_approval_path(run_id, approval_id), response_type=models.Approval)


def decide(run_id: str, approval_id: str, decision: DecisionBody) -> ApiRequest[models.Decided]:
    path = f"{_approval_path(run_id, approval_id)}/decision"
    return ApiRequest(
        method="POST", path=path, response_type=models.Decided, body=msgspec.json.encode(decision)
    )


def decide_many(decisions: Sequence[ManyDecision], *, dry_run: bool) -> ApiRequest[models.BulkOutcomes]:
    """Decide up to `MAX_DECISIONS` approvals."""
    return ApiRequest(
        method="POST",
        path="/v1/approvals:decide",
        response_type=models.BulkOutcomes,
        body=msgspec.json.encode({"decisions": decisions, "dry_run": dry_run}),
    )


def batches(decisions: Sequence[ManyDecision]) -> Iterator[Sequence[ManyDecision]]:
    """Split decisions so that the gateway accepts each part as one request."""
    largest = max((len(msgspec.json.encode(item)) for item in decisions), default=1)
    size = max(1, min(MAX_DECISIONS, _MAX_BODY_BYTES // largest))
    for first in range(0, len(decisions), size):
        yield decisions[first : first + size]


def assign(run_id: str, approval_id: str, action: str, body: object = None) -> ApiRequest[models.Assigned]:
    """`claim`, `release` or `delegate` an approval, with a random key, so that a retry has the same reply."""
    path = f"{_approval_path(run_id, approval_id)}/{action}"
    return ApiRequest(
        method="POST",
        path=path,
        response_type=models.Assigned,
        body=msgspec.json.encode(body or {}),
        headers={"idempotency-key": uuid.uuid4().hex},
    )


def raise_objection(
    run_id: str, approval_id: str, reason: str, *, digest: str | None
) -> ApiRequest[models.Decided]:
    """Object to an approval, with a random id, so that retries count as one objection."""
    body = ObjectionBody(reason=reason, decision_id=uuid.uuid4().hex, digest=digest)
    path = f"{_approval_path(run_id, approval_id)}/objection"
    return ApiRequest(method="POST", path=path, response_type=models.Decided, body=msgspec.json.encode(body))


def new_decision(answer: msgspec.Raw, *, digest: str | None, note: str | None) -> DecisionBody:
    """Build a decision with a random id, so that retries count as one decision."""
    return DecisionBody(answer=answer, decision_id=uuid.uuid4().hex, digest=digest, note=note)


def new_decisions(
    approvals: Iterable[tuple[str, models.Approval]], answer: msgspec.Raw, *, note: str | None
) -> Sequence[ManyDecision]:
    """Build decisions with random ids and the digests of the approvals, each given with its run's id.

    Raises:
        Conflict: `digest_mismatch`: an approval is not what its digest is of.
    """
    return [
        ManyDecision(
            run_id=run_id,
            approval_id=approval.approval_id,
            answer=answer,
            decision_id=uuid.uuid4().hex,
            digest=verified_digest(approval),
            note=note,
        )
        for run_id, approval in approvals
    ]


def control(run_id: str, action: str, reason: str | None = None) -> ApiRequest[models.Accepted]:
    """Request `cancel`, `pause` or `resume`; only `cancel` takes a reason."""
    body = msgspec.json.encode({"reason": reason} if reason else {})
    return ApiRequest(
        method="POST", path=f"{run_path(run_id)}/{action}", response_type=models.Accepted, body=body
    )


def retry(run_id: str, at: str, changes: object, idempotency_key: str | None) -> ApiRequest[models.Retried]:
    """Retry a run; without an idempotency key, a random one makes retried requests count as one."""
    body = {"from": at, **({"input": changes} if changes is not None else {})}
    return ApiRequest(
        method="POST",
        path=f"{run_path(run_id)}/retry",
        response_type=models.Retried,
        body=msgspec.json.encode(body),
        headers={"idempotency-key": idempotency_key or uuid.uuid4().hex},
    )


class RawResponse(Struct, frozen=True):
    """A response that is not decoded."""


def get_result(run_id: str) -> ApiRequest[RawResponse]:
    return ApiRequest(method="GET", path=f"{run_path(run_id)}/result", response_type=RawResponse)


def get_artifact(run_id: str, name: str) -> ApiRequest[RawResponse]:
    return ApiRequest(
        method="GET", path=f"{run_path(run_id)}/artifacts/{quote(name)}", response_type=RawResponse
    )


def get_receipt(run_id: str, approval_id: str) -> ApiRequest[RawResponse]:
    path = f"{_approval_path(run_id, approval_id)}/receipt"
    return ApiRequest(method="GET", path=path, response_type=RawResponse)


def list_passkeys(subject: str | None) -> ApiRequest[PasskeyList]:
    query = {"subject": subject} if subject else {}
    return ApiRequest(method="GET", path="/v1/passkeys", response_type=PasskeyList, query=query)


def revoke_passkey(passkey_id: str) -> ApiRequest[RawResponse]:
    return ApiRequest(
        method="DELETE", path=f"/v1/passkeys/{_quote_segment(passkey_id)}", response_type=RawResponse
    )


def upload(body: bytes, media_type: str) -> ApiRequest[models.Uploaded]:
    """Store bytes; objects are named by their content, so a repeat stores nothing new."""
    return ApiRequest(
        method="POST",
        path="/v1/objects",
        response_type=models.Uploaded,
        body=body,
        headers={"content-type": media_type},
    )


def run_path(run_id: str) -> str:
    return f"/v1/runs/{_quote_segment(run_id)}"


def stream_path(run_id: str) -> str:
    return f"{run_path(run_id)}/stream"


def _approval_path(run_id: str, approval_id: str) -> str:
    return f"{run_path(run_id)}/approvals/{_quote_segment(approval_id)}"


def _quote_segment(text: str) -> str:
    return quote(text, safe="")
