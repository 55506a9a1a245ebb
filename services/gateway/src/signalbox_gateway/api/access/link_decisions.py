"""Decisions by link: shows the question of a link, and sends the decision of its recipient, once."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct
from redis.asyncio import Redis
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message

from signalbox_core.crypto.api_keys import Role
from signalbox_core.errors import Conflict, NotFound
from signalbox_core.events.snapshot import ENDED, ApprovalState, Snapshot
from signalbox_core.process.followed_file import FollowedFile
from signalbox_core.redis.client import map_redis_errors
from signalbox_core.temporal.codec import bind_payloads_to
from signalbox_gateway.api.approvals import ApprovalHandlers
from signalbox_gateway.api.endpoint import ApiCall, json_response
from signalbox_gateway.api.schemas import Decide, Note
from signalbox_gateway.auth.decision_links import DecisionLink, LinkKeys
from signalbox_gateway.auth.principal import Principal
from signalbox_gateway.auth.rate_limits import RequestLimiter
from signalbox_gateway.runs.lookup import RunReader
from signalbox_gateway.runs.outcomes import run_ended
from signalbox_gateway.runs.views import PolicyView, approval_view

Token = Annotated[str, Meta(min_length=1, max_length=4_000)]
_CLAIM_TTL: Final = timedelta(minutes=1)
_USED_TTL: Final = timedelta(days=30)
_OUTCOMES: Final = {
    "decided": ("already_decided", "was already decided"),
    "expired": ("approval_expired", "expired before anyone decided"),
    "vetoed": ("vetoed", "was vetoed"),
    "withdrawn": ("withdrawn", "was withdrawn: the run no longer asks it"),
}


class OpenLink(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`token`: the part of the link after `#`."""

    token: Token


class DecideByLink(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Decides the question of a link."""

    token: Token
    answer: msgspec.Raw
    note: Note | None = None


class LinkQuestionView(Struct, frozen=True, kw_only=True):
    """The question of a link, for its recipient, with everything that its digest covers.

    `about`, `proposal`, `policy` and `asked_policy` are those of `ApprovalView`.
    """

    recipient: str
    run_title: str
    approval_id: str
    title: str
    answer_schema: msgspec.Raw
    options: msgspec.Raw
    evidence: msgspec.Raw
    digest: str
    about: str | None
    proposal: msgspec.Raw
    policy: PolicyView
    asked_policy: PolicyView | None
    deadline_at: datetime | None
    expires_at: datetime


class LinkDecisionHandlers:
    """The handlers of /v1/links. Reading a question has no effect; a decision is accepted once per link.

    Args:
        keys: None when this deployment makes no links; every link is then invalid.
    """

    def __init__(
        self,
        keys: FollowedFile[LinkKeys] | None,
        states: RunReader,
        approvals: ApprovalHandlers,
        redis: Redis,
        limiter: RequestLimiter,
    ) -> None:
        self._keys = keys
        self._states = states
        self._approvals = approvals
        self._redis = redis
        self._limiter = limiter

    async def show(self, call: ApiCall) -> Response:
        link = await self._verify((await call.body(OpenLink)).token)
        snapshot, state = await self._require_open(link)
        return json_response(_question_view(link, snapshot, state))

    async def decide(self, call: ApiCall) -> Response:
        """Send the decision through the handler of every other decision, as the recipient of the link."""
        request = await call.body(DecideByLink)
        link = await self._verify(request.token)
        await self._require_open(link)
        key = _key(link)
        with map_redis_errors(key):
            if not await self._redis.set(key, b"claimed", nx=True, px=_CLAIM_TTL):
                raise _used()
        try:
            body = Decide(
                answer=request.answer, decision_id=link.decision_id, digest=link.digest, note=request.note
            )
            with bind_payloads_to(link.tenant):
                response = await self._approvals.decide(_call_as(link, call.request, body))
        except BaseException:
            with map_redis_errors(key):
                await self._redis.delete(key)
            raise
        with map_redis_errors(key):
            await self._redis.set(key, b"used", px=_USED_TTL)
        return response

    async def _verify(self, token: str) -> DecisionLink:
        keys = self._keys.current() if self._keys is not None else LinkKeys(())
        link = keys.verify(token, datetime.now(UTC))
        await self._limiter.count_request(_principal_of(link))
        return link

    async def _require_open(self, link: DecisionLink) -> tuple[Snapshot, ApprovalState]:
        """Return the question of a link that can still be used.

        Raises:
            Conflict: `link_used`, `link_stale`, or the outcome of the question.
            NotFound: there is no such question any more.
        """
        with map_redis_errors(_key(link)):
            if await self._redis.exists(_key(link)):
                raise _used()
        snapshot = await self._states.find(link.tenant, link.run_id)
        approvals = snapshot.approvals if snapshot is not None else ()
        state = next((item for item in approvals if item.approval_id == link.approval_id), None)
        if snapshot is None or state is None:
            raise NotFound("the question of this link no longer exists", code="unknown_approval")
        check_link(link, snapshot, state)
        return snapshot, state


def check_link(link: DecisionLink, snapshot: Snapshot, state: ApprovalState) -> None:
    """Check that a link is for the question as it is, and that it has no outcome. Pure.

    Raises:
        Conflict: it is not, or it has one; the code names which.
    """
    if state.decision_id == link.decision_id:
        raise _used()
    if state.digest != link.digest:
        raise Conflict(
            "the question has changed since this link was sent; ask the sender how to decide it",
            code="link_stale",
        )
    if state.status != "pending":
        code, reason = _OUTCOMES.get(state.status, ("already_decided", f"has the outcome {state.status}"))
        raise Conflict(f"this question {reason}; nothing to do", code=code)
    if snapshot.status in ENDED:
        raise run_ended(snapshot.run_id, snapshot.status)


def _question_view(link: DecisionLink, snapshot: Snapshot, state: ApprovalState) -> LinkQuestionView:
    shown = approval_view(snapshot.run_id, state)
    return LinkQuestionView(
        recipient=link.to,
        run_title=snapshot.title,
        approval_id=shown.approval_id,
        title=shown.title,
        answer_schema=shown.answer_schema,
        options=shown.options,
        evidence=shown.evidence,
        digest=shown.digest,
        about=shown.about,
        proposal=shown.proposal,
        policy=shown.policy,
        asked_policy=shown.asked_policy,
        deadline_at=shown.deadline_at,
        expires_at=link.expires_at,
    )


def _used() -> Conflict:
    return Conflict("this link has already been used; each link decides once", code="link_used")


def _key(link: DecisionLink) -> str:
    return f"signalbox:link:{{{link.decision_id}}}"


def _principal_of(link: DecisionLink) -> Principal:
    return Principal(
        key_id=link.subject.subject,
        name=link.to,
        tenant=link.tenant,
        roles=frozenset({Role.APPROVER}),
        subject=link.subject,
        door="link",
    )


def _call_as(link: DecisionLink, request: Request, body: Decide) -> ApiCall:
    """The call that the recipient would make with an API key."""
    encoded = msgspec.json.encode(body)

    async def receive() -> Message:
        return {"type": "http.request", "body": encoded, "more_body": False}

    scope = {
        **request.scope,
        "path_params": {"run_id": link.run_id, "approval_id": link.approval_id},
        "headers": [(b"content-type", b"application/json")],
    }
    return ApiCall(Request(scope, receive), _principal_of(link))
