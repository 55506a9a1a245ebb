"""The route table: every operation with who may call it, what it takes and what it answers; OpenAPI is made of it."""

from typing import Final

from msgspec import Struct

from signalbox_core.crypto.api_keys import Role
from signalbox_core.http.problems import MEDIA_TYPE, Problem
from signalbox_gateway.api import schemas
from signalbox_gateway.api.approval_stream import InboxFeed
from signalbox_gateway.api.approvals import Approvals
from signalbox_gateway.api.artifacts import Artifacts
from signalbox_gateway.api.autoscaler import AutoscalerPages
from signalbox_gateway.api.docs_page import Pages
from signalbox_gateway.api.endpoint import Endpoint, Reply
from signalbox_gateway.api.health import HealthPages
from signalbox_gateway.api.payload_codec import Codec, Payloads
from signalbox_gateway.api.pipelines import Pipelines
from signalbox_gateway.api.runs import Runs
from signalbox_gateway.api.sessions import Identities
from signalbox_gateway.api.start_run import Starts
from signalbox_gateway.api.uploads import Uploads
from signalbox_gateway.http.cors import CODEC_PATH
from signalbox_gateway.runs.views import ApprovalView, RunView

_RUN: Final = "/v1/runs/{run_id}"
_APPROVAL: Final = f"{_RUN}/approvals/{{approval_id}}"


class Handlers(Struct, frozen=True, kw_only=True):
    """The objects whose methods are the handlers."""

    pipelines: Pipelines
    starts: Starts
    runs: Runs
    artifacts: Artifacts
    approvals: Approvals
    inbox_feed: InboxFeed
    uploads: Uploads
    autoscaler: AutoscalerPages
    codec: Codec
    identities: Identities
    health: HealthPages
    pages: Pages


def endpoints(to: Handlers) -> tuple[Endpoint, ...]:
    """All operations, in the order of the documentation."""
    runs = (*_pipelines(to), *_runs(to), *_steering(to), *_approvals(to), *_uploads(to))
    return (*runs, *_autoscaler(to), *_identities(to), *_codec(to), *_pages(to))


def _pipelines(to: Handlers) -> tuple[Endpoint, ...]:
    one = (Reply(200, "The contract", schemas.PipelineView), _problem(404, "There is no such pipeline"))
    return (
        Endpoint(
            "GET",
            "/v1/pipelines",
            "list_pipelines",
            "The installed pipelines",
            Role.VIEWER,
            to.pipelines.list,
            _PIPELINES,
        ),
        Endpoint(
            "GET",
            "/v1/pipelines/{name}",
            "get_pipeline",
            "One pipeline's contract",
            Role.VIEWER,
            to.pipelines.show,
            one,
        ),
    )


def _runs(to: Handlers) -> tuple[Endpoint, ...]:
    by_id, list_runs, start = "once per run_id or Idempotency-Key", schemas.ListRuns, to.starts.start
    file, about_file = (
        f"{_RUN}/artifacts/{{name:path}}",
        "A file of the run; `?download` makes browsers save it",
    )
    return (
        Endpoint(
            "POST",
            "/v1/runs",
            "start_run",
            f"Start a run, {by_id}",
            Role.OPERATOR,
            start,
            _START,
            body=schemas.StartRun,
        ),
        Endpoint(
            "GET",
            "/v1/runs",
            "list_runs",
            "The tenant's runs",
            Role.VIEWER,
            to.runs.list,
            _PAGE,
            query=list_runs,
        ),
        Endpoint("GET", _RUN, "get_run", "The run's snapshot", Role.VIEWER, to.runs.show, _SNAPSHOT),
        Endpoint(
            "GET", f"{_RUN}/result", "get_result", "The typed result", Role.VIEWER, to.runs.result, _RESULT
        ),
        Endpoint("GET", file, "get_artifact", about_file, Role.VIEWER, to.artifacts.fetch, _FILE),
    )


def _steering(to: Handlers) -> tuple[Endpoint, ...]:
    runs, operator, nothing, reason = to.runs, Role.OPERATOR, schemas.NoBody, schemas.CancelRun
    return (
        Endpoint(
            "POST",
            f"{_RUN}/cancel",
            "cancel_run",
            "Stop; the run cleans up first",
            operator,
            runs.cancel,
            _ASKED,
            body=reason,
        ),
        Endpoint(
            "POST",
            f"{_RUN}/pause",
            "pause_run",
            "Start no further step",
            operator,
            runs.pause,
            _ASKED,
            body=nothing,
        ),
        Endpoint(
            "POST",
            f"{_RUN}/resume",
            "resume_run",
            "Go on after a pause",
            operator,
            runs.resume,
            _ASKED,
            body=nothing,
        ),
    )


def _approvals(to: Handlers) -> tuple[Endpoint, ...]:
    about, decide = "The question, its evidence and what was decided", to.approvals.decide
    inbox, filters = to.approvals.inbox, schemas.ListApprovals
    return (
        Endpoint(
            "GET",
            "/v1/approvals",
            "list_approvals",
            "What waits for a person",
            Role.VIEWER,
            inbox,
            _INBOX,
            query=filters,
        ),
        Endpoint(
            "GET",
            "/v1/approvals/stream",
            "stream_approvals",
            _FEED,
            Role.VIEWER,
            to.inbox_feed.open,
            _INBOX_EVENTS,
        ),
        Endpoint("GET", _APPROVAL, "get_approval", about, Role.VIEWER, to.approvals.show, _QUESTION),
        Endpoint(
            "POST",
            f"{_APPROVAL}/decision",
            "decide",
            "Answer",
            Role.APPROVER,
            decide,
            _DECISION,
            body=schemas.Decide,
        ),
    )


def _uploads(to: Handlers) -> tuple[Endpoint, ...]:
    about = "Upload a file for a run to read; the body is its bytes"
    return (
        Endpoint(
            "POST", "/v1/objects", "upload", about, Role.OPERATOR, to.uploads.take, _UPLOADED, takes="*/*"
        ),
    )


def _autoscaler(to: Handlers) -> tuple[Endpoint, ...]:
    path, pages, role = "/v1/autoscaler", to.autoscaler, Role.DEPLOYMENT_OPERATOR
    newest, feed = (
        "What was decided about a queue, and why",
        "Server-sent events: each decision about a queue",
    )
    asks, follows = schemas.ListDecisions, schemas.FollowDecisions
    return (
        Endpoint(
            "GET",
            f"{path}/queues",
            "list_scaled_queues",
            "The task queues and the last decision",
            role,
            pages.queues,
            _SCALED,
        ),
        Endpoint(
            "GET", f"{path}/decisions", "list_decisions", newest, role, pages.decisions, _SAID, query=asks
        ),
        Endpoint(
            "GET", f"{path}/stream", "stream_decisions", feed, role, pages.follow, _SAYING, query=follows
        ),
    )


def _identities(to: Handlers) -> tuple[Endpoint, ...]:
    path, to_sign_in, ticket = (
        "/v1/sessions",
        "Exchange an API key for a session cookie",
        to.identities.issue_ticket,
    )
    to_ticket = "A ticket for streams, for callers that can send neither header nor cookie"
    return (
        Endpoint(
            "POST", path, "sign_in", to_sign_in, None, to.identities.sign_in, _SIGNED_IN, body=schemas.SignIn
        ),
        Endpoint("GET", path, "who_am_i", "Who the caller is", Role.VIEWER, to.identities.show, _CALLER),
        Endpoint("DELETE", path, "sign_out", "End the session", None, to.identities.sign_out, _SIGNED_OUT),
        Endpoint(
            "POST",
            "/v1/stream-tickets",
            "issue_ticket",
            to_ticket,
            Role.VIEWER,
            ticket,
            _TICKET,
            body=schemas.AskTicket,
        ),
    )


def _codec(to: Handlers) -> tuple[Endpoint, ...]:
    about = "Open sealed payloads, for Temporal's UI and command line"
    return (
        Endpoint(
            "POST",
            CODEC_PATH,
            "decode_payloads",
            about,
            Role.ADMIN,
            to.codec.decode,
            _OPENED,
            body=Payloads,
            reads=True,
        ),
    )


def _pages(to: Handlers) -> tuple[Endpoint, ...]:
    return (
        Endpoint(
            "GET",
            "/healthz",
            "is_alive",
            "The process answers",
            None,
            to.health.alive,
            (Reply(200, "Alive", schemas.Health),),
        ),
        Endpoint(
            "GET", "/readyz", "is_ready", "The state of every dependency", None, to.health.ready, _READY
        ),
        Endpoint(
            "GET",
            "/metrics",
            "get_metrics",
            "Metrics",
            None,
            to.health.metrics,
            (Reply(200, "For Prometheus", None, "text/plain"),),
        ),
        Endpoint(
            "GET",
            "/openapi.json",
            "get_openapi",
            "This document",
            None,
            to.pages.openapi,
            (Reply(200, "OpenAPI 3.1"),),
        ),
        Endpoint(
            "GET",
            "/docs",
            "get_docs",
            "This document, for people",
            None,
            to.pages.docs,
            (Reply(200, "A page", None, "text/html"),),
        ),
    )


def _problem(status: int, meaning: str) -> Reply:
    return Reply(status, meaning, Problem, MEDIA_TYPE)


_UNKNOWN_RUN: Final = _problem(404, "There is no such run, or it is not yours")
_BAD_QUERY: Final = _problem(422, "A parameter is not valid")
_BAD_BODY: Final = (
    _problem(400, "Not JSON"),
    _problem(413, "Too large"),
    _problem(415, "Not declared as JSON"),
    _problem(422, "A field is not valid; `errors` names each"),
)
_PIPELINES: Final = (Reply(200, "The pipelines, by name", schemas.PipelineList),)
_START: Final = (
    Reply(201, "Started", schemas.Started),
    Reply(200, "It was started before by the same request", schemas.Started),
    Reply(202, "Queued: Temporal is away, the run starts when it is back", schemas.Started),
    _problem(409, "The run id or key belongs to another request"),
    *_BAD_BODY,
)
_PAGE: Final = (Reply(200, "One page, newest first", schemas.RunPage), _BAD_QUERY)
_SNAPSHOT: Final = (Reply(200, "The run now", RunView), _UNKNOWN_RUN)
_RESULT: Final = (
    Reply(200, "The result, as the pipeline's contract says"),
    _problem(409, "No result (yet)"),
    _UNKNOWN_RUN,
)
_FILE: Final = (
    Reply(200, "The bytes", None, "*/*"),
    Reply(304, "Not changed", None, ""),
    _problem(404, "Unknown run or artifact"),
)
_ASKED: Final = (
    Reply(202, "Asked; the stream shows when it happens", schemas.Accepted),
    _problem(409, "The run has ended"),
    _UNKNOWN_RUN,
    *_BAD_BODY,
)
_INBOX: Final = (Reply(200, "Open approvals", schemas.Inbox), _BAD_QUERY)
_FEED: Final = "Server-sent events: the inbox, whenever it changes"
_INBOX_EVENTS: Final = (Reply(200, "`inbox` events until the session ends", None, "text/event-stream"),)
_QUESTION: Final = (Reply(200, "The approval", ApprovalView), _problem(404, "Unknown run or approval"))
_DECISION: Final = (
    Reply(200, "Accepted (now, or by the same decision before)", schemas.Decided),
    Reply(202, "Recorded durably; no worker runs right now", schemas.Decided),
    _problem(404, "Unknown run or approval"),
    _problem(409, "Already decided, expired, the digest is stale, or the run has ended"),
    *_BAD_BODY,
)
_UPLOADED: Final = (
    Reply(201, "Stored; `object` names it", schemas.Uploaded),
    _problem(413, "Too large"),
    _problem(415, "Not a kind of file that is read"),
    _problem(422, "Empty"),
)
_SCALED: Final = (Reply(200, "The queues, by name", schemas.ScaledQueues),)
_SAID: Final = (Reply(200, "Newest first", schemas.DecisionList), _BAD_QUERY)
_SAYING: Final = (Reply(200, "A decision each, with its id", None, "text/event-stream"), _BAD_QUERY)
_OPENED: Final = (Reply(200, "The payloads, opened", Payloads), *_BAD_BODY)
_SIGNED_IN: Final = (
    Reply(201, "Signed in; the cookie is set", schemas.Identity),
    _problem(401, "The key is not known"),
    *_BAD_BODY,
)
_CALLER: Final = (Reply(200, "The caller", schemas.Identity),)
_SIGNED_OUT: Final = (Reply(204, "Signed out", None, ""),)
_TICKET: Final = (Reply(201, "The ticket", schemas.TicketIssued), *_BAD_BODY)
_READY: Final = (Reply(200, "Ready", schemas.Readiness), Reply(503, "Not ready", schemas.Readiness))
