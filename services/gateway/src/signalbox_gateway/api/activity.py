"""Who decided, intervened or changed something: a tenant's ledger, newest first."""

from datetime import datetime
from typing import Annotated, Final
from urllib.parse import quote

from msgspec import Meta, Struct
from starlette.responses import Response

from signalbox_core.crypto.api_keys import Role
from signalbox_core.errors import InvalidInput
from signalbox_core.ledger.activity import ActivityQuery, ActivityRecord, read_activity
from signalbox_core.ledger.entries import OUTCOMES, RECORDED_CHANGES, LedgerEntry
from signalbox_core.objects import ObjectStore
from signalbox_gateway.api.endpoint import ApiCall, json_response
from signalbox_gateway.auth.principal import Principal

Position = Annotated[int, Meta(ge=0, le=2**53 - 1)]
_KINDS: Final = {"approval", "run", "passkey", *(name.partition(".")[0] for name in RECORDED_CHANGES)}
_OF_ADMINS: Final = {kind for kind in _KINDS if kind.endswith("_key")} | {"token", "passkey"}
"""The kinds that only admins see."""


class ListActivity(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to list.

    `action`: the name of an event, as in `approval.decided`, or its part before the dot, as in `approval`.
    `actor`: a part of the name or of the subject of who acted. `after`: an `index`; only newer entries.
    """

    action: Annotated[str, Meta(max_length=64)] = ""
    actor: Annotated[str, Meta(max_length=200)] = ""
    limit: Annotated[int, Meta(ge=1, le=100)] = 50
    cursor: Position | None = None
    after: Position | None = None


class ActorView(Struct, frozen=True, kw_only=True):
    """Who acted, as far as the event carries it."""

    subject: str | None
    name: str | None
    kind: str | None


class ActivityView(Struct, frozen=True, kw_only=True):
    """One entry of the ledger.

    `action` is the name of the event. `item` is what was changed: the id of a key, token or schedule, or
    `<pipeline>/<approval>` of a policy. `actor` is null if nobody is recorded, and if the personal values
    were erased (`erased`). `receipt` is the path of the receipt of an approval's outcome.
    """

    index: int
    action: str
    at: datetime
    actor: ActorView | None
    erased: bool
    run_id: str | None
    approval_id: str | None
    item: str | None
    outcome: str | None
    reason: str | None
    receipt: str | None


class ActivityPageView(Struct, frozen=True, kw_only=True):
    """Entries in the reverse order of the ledger.

    A page can have fewer entries than `limit`, or none, before the end: `next_cursor` is null at the end.
    """

    entries: tuple[ActivityView, ...]
    next_cursor: int | None


async def list_activity(store: ObjectStore, call: ApiCall) -> Response:
    """Read one page of the entries that the caller may see.

    Raises:
        InvalidInput: no event has this name or kind.
        Forbidden: only admins see events of this kind.
    """
    query, principal = call.query(ListActivity), call.principal
    _check_action(query.action, principal)
    is_admin = principal.has(Role.ADMIN)

    def is_selected(entry: LedgerEntry) -> bool:
        kind = _kind(entry.event)
        return query.action in ("", kind, entry.event) and (is_admin or kind not in _OF_ADMINS)

    page = await read_activity(
        store,
        principal.tenant,
        ActivityQuery(
            is_selected=is_selected,
            limit=query.limit,
            actor=query.actor.strip(),
            below=query.cursor,
            after=query.after,
        ),
    )
    entries = tuple(_view(record) for record in page.records)
    return json_response(ActivityPageView(entries=entries, next_cursor=page.below))


def _kind(event: str) -> str:
    return event.partition(".")[0]


def _check_action(action: str, principal: Principal) -> None:
    if action and _kind(action) not in _KINDS:
        raise InvalidInput(
            f"there is no action {action!r}; use the name of an event, such as approval.decided, "
            f"or one of: {', '.join(sorted(_KINDS))}",
            field="action",
        )
    if _kind(action) in _OF_ADMINS:
        principal.require(Role.ADMIN)


def _view(record: ActivityRecord) -> ActivityView:
    entry = record.entry
    who = ActorView(subject=record.subject, name=record.name, kind=entry.actor.kind)
    return ActivityView(
        index=entry.index,
        action=entry.event,
        at=entry.at,
        actor=who if record.subject or record.name else None,
        erased=record.is_erased,
        run_id=entry.run_id or None,
        approval_id=entry.approval_id,
        item=entry.item,
        outcome=entry.outcome,
        reason=record.reason,
        receipt=_receipt_path(entry),
    )


def _receipt_path(entry: LedgerEntry) -> str | None:
    if entry.event not in OUTCOMES or not entry.approval_id:
        return None
    run_id, approval_id = quote(entry.run_id, safe=""), quote(entry.approval_id, safe="")
    return f"/v1/runs/{run_id}/approvals/{approval_id}/receipt"
