"""The JSON bodies and query parameters of the API, except for the views of a run (runs/views.py)."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from signalbox_core.errors import InvalidInput
from signalbox_core.events.policy import QuorumProgress
from signalbox_core.events.snapshot import BlockedState, QueuedState, RunStatus
from signalbox_core.patterns import whole
from signalbox_core.pipeline.contract.start_on import OncePer
from signalbox_core.subjects import Subject
from signalbox_gateway.passkeys.decision_signatures import DecisionAssertion

EndedOrRunning = Literal["running", "completed", "failed", "cancelled", "terminated", "timed_out"]
Limit = Annotated[int, Meta(ge=1, le=200, description="Maximum number of items")]
Reason = Annotated[str, Meta(min_length=1, max_length=2000)]
Note = Annotated[str, Meta(max_length=2000)]
Tag = Annotated[str, Meta(min_length=1, max_length=50, pattern=whole(r"[A-Za-z0-9][A-Za-z0-9._:/@-]*"))]
DecisionId = Annotated[str, Meta(min_length=1, max_length=128, pattern=whole(r"[A-Za-z0-9._~:-]+"))]


class StartRun(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Starts a run. `run_id` makes the request idempotent; without one, the header `Idempotency-Key` does."""

    pipeline: Annotated[str, Meta(description="A name from GET /v1/pipelines")]
    input: msgspec.Raw
    run_id: Annotated[str, Meta(description="1 to 128 letters, digits or ._~-")] | None = None
    priority: Annotated[int, Meta(ge=1, le=5, description="1 is the highest; 3 is the default")] | None = None
    tags: Annotated[tuple[Tag, ...], Meta(max_length=10, description="Found with `tag:NAME`")] = ()


class StartResponse(Struct, frozen=True, kw_only=True):
    run_id: str
    pipeline: str
    status: RunStatus
    links: Mapping[str, str]


class ListRuns(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    q: Annotated[str, Meta(description="A search, as in `status:failed by:minh coffee`; docs/find.md")] = ""
    status: EndedOrRunning | None = None
    pipeline: str | None = None
    limit: Limit = 50
    cursor: str | None = None


class RunInputView(Struct, frozen=True, kw_only=True):
    """What a run was started with. Secrets read `***`; `masked` has their paths, as in `input.password`."""

    run_id: str
    pipeline: str
    input: msgspec.Raw
    masked: tuple[str, ...]


class RunItemView(Struct, frozen=True, kw_only=True):
    """`blocked`: the run cannot continue until someone acts. `queued`: it waits for a free worker.

    `subject`: what the run is about, if its pipeline's contract has a subject.
    """

    run_id: str
    pipeline: str
    subject: str | None
    tags: tuple[str, ...]
    status: RunStatus
    started_at: datetime
    ended_at: datetime | None
    started_by: str | None
    starter: Subject | None
    url: str
    blocked: BlockedState | None
    queued: QueuedState | None


class RunPageView(Struct, frozen=True, kw_only=True):
    """`next_cursor` is null on the last page."""

    runs: tuple[RunItemView, ...]
    next_cursor: str | None


class CancelRun(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    reason: Annotated[str, Meta(max_length=500)] | None = None


class RetryRun(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Retries a run that has ended.

    `from: failed` (the default) continues it from its failed step, under the same run id; completed steps
    keep their results. `from: start` starts a new run with the same input; `input` is a JSON merge patch
    (RFC 7396) of it. Secrets that are not given again stay as they were.
    """

    from_: Literal["failed", "start"] = msgspec.field(name="from", default="failed")
    input: Mapping[str, Any] | None = None


class RetryResponse(Struct, frozen=True, kw_only=True):
    """`run_id`: the run that continues (`retry_of` is null), or the new run that repeats `retry_of`."""

    run_id: str
    pipeline: str
    status: RunStatus
    retry_of: str | None
    links: Mapping[str, str]


class NoBody(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`{}` or an empty body."""


class ControlResponse(Struct, frozen=True, kw_only=True):
    """The request was delivered to the run; the stream shows when it takes effect."""

    run_id: str
    accepted: Literal["cancel", "pause", "resume"]


class Decide(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Decides an approval.

    `decision_id` makes the request idempotent. `digest` is that of the question as it was shown; the decision
    is refused if the question has changed since. Only services may leave it out. `signature` is of the
    caller's passkey, for a question whose policy requires it; it covers `decision_id` and `digest`.
    """

    answer: msgspec.Raw
    decision_id: DecisionId | None = None
    digest: str | None = None
    note: Note | None = None
    signature: DecisionAssertion | None = None


class RaiseObjection(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Objects to what an approval asks. An objection of a veto group ends the question."""

    reason: Reason
    decision_id: DecisionId | None = None
    digest: str | None = None
    signature: DecisionAssertion | None = None


class DelegateApproval(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Asks another subject to decide. It gives no right: the policy applies to the delegate's vote.

    `to`: a subject (`key:<key id>`, `<issuer>#<subject>`), or `group:<name>`.
    """

    to: Annotated[str, Meta(min_length=1, max_length=500)]
    note: Note | None = None


class AssignmentView(Struct, frozen=True, kw_only=True):
    """Who deals with an approval. A claim has no effect after `claimed_until`."""

    run_id: str
    approval_id: str
    claimed_by: Subject | None
    claimed_until: datetime | None
    delegated_to: str | None


class DecideResponse(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`accepted`: the approval is decided. `counted`: the vote is recorded, and further ones are needed.

    `vetoed`: the objection ended the question. `recorded`: stored durably, applied when a worker responds.
    `quorum`: how far the answer has come, in `message` for people.
    `blocked`: why the run could not apply a recorded decision yet, if it is known.
    """

    run_id: str
    approval_id: str
    decision_id: str
    status: Literal["accepted", "counted", "vetoed", "recorded"]
    decided_by: str
    decided_at: datetime | None
    answer: msgspec.Raw
    blocked: BlockedState | None = None
    quorum: tuple[QuorumProgress, ...] = ()
    message: str | None = None


class SignIn(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Either an API key, or a token (JWT) of a configured OpenID issuer."""

    api_key: Annotated[str, Meta(min_length=1, max_length=500)] | None = None
    token: Annotated[str, Meta(min_length=1, max_length=8192)] | None = None

    def __post_init__(self) -> None:
        if (self.api_key is None) == (self.token is None):
            raise InvalidInput("send either api_key or token", field="api_key")


class Identity(Struct, frozen=True, kw_only=True):
    """The caller. `temporal_ui_url` is the address of Temporal's UI, if one is configured.

    `trace_url`: the address of a trace, in which `{trace_id}` stands for its id, if one is configured.
    `temporal_run_url`: the address of a run's executions in Temporal's UI, with the placeholder `{run_id}`;
    null without the role `operator`, or if no UI is configured.
    """

    name: str
    subject: Subject
    tenant: str
    roles: tuple[str, ...]
    expires_at: datetime | None
    temporal_ui_url: str | None
    trace_url: str | None
    temporal_run_url: str | None


class UploadResponse(Struct, frozen=True, kw_only=True):
    """`object` is the value for an input field that takes an uploaded file; it depends on the bytes only."""

    object: str
    media_type: str
    size_bytes: int
    sha256: str


class StepView(Struct, frozen=True, kw_only=True):
    name: str
    title: str


class ApprovalContractView(Struct, frozen=True, kw_only=True):
    name: str
    title: str
    answer_schema: msgspec.Raw
    deadline_s: float


class ExternalEventView(Struct, frozen=True, kw_only=True):
    """An external event that the pipeline's runs wait for."""

    name: str
    title: str
    data_schema: msgspec.Raw
    timeout_s: float
    keep_s: float


class StartEventView(Struct, frozen=True, kw_only=True):
    """An external event that starts a run of the pipeline, once per event or per business key."""

    name: str
    title: str
    data_schema: msgspec.Raw
    once_per: OncePer


class PipelineView(Struct, frozen=True, kw_only=True):
    """A pipeline's contract; the schemas are JSON Schema 2020-12."""

    name: str
    title: str
    description: str
    input_schema: msgspec.Raw
    result_schema: msgspec.Raw
    steps: tuple[StepView, ...]
    approvals: tuple[ApprovalContractView, ...]
    find: Annotated[tuple[str, ...], Meta(description="The names for `find.NAME:VALUE` in a search")]
    url: str
    external_events: tuple[ExternalEventView, ...] = ()
    starts: tuple[StartEventView, ...] = ()


class PipelineListView(Struct, frozen=True, kw_only=True):
    pipelines: tuple[PipelineView, ...]


class Health(Struct, frozen=True, kw_only=True):
    status: Literal["ok"] = "ok"


class Dependency(Struct, frozen=True, kw_only=True):
    ok: bool
    detail: str = ""


class Readiness(Struct, frozen=True, kw_only=True):
    """The gateway is ready if Redis is. Without Temporal it still streams, and queues starts.

    `degraded`: ready, but a dependency is unavailable. `warnings`: why installed pipelines are not offered.
    """

    ready: bool
    status: Literal["ok", "degraded", "unavailable"]
    temporal_available: bool
    dependencies: Mapping[str, Dependency]
    warnings: tuple[str, ...] = ()
