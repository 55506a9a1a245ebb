"""Reads the inbox of a tenant: page by page, and the first page once for all who need it at the same time."""

import asyncio
import time
from datetime import datetime
from typing import Final, Literal
from urllib.parse import quote
from weakref import WeakValueDictionary

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from signalbox_core import base64url
from signalbox_core.events.policy import may_answer
from signalbox_core.events.snapshot import ClaimState
from signalbox_core.streams import DecidedItem, InboxItem, InboxPosition, RunStream
from signalbox_core.subjects import Subject
from signalbox_gateway.http.page_cursor import invalid_cursor
from signalbox_gateway.runs.views import artifact_url

INBOX_PAGE: Final = 200
"""How many approvals a page has unless a limit is given, and an `inbox` event."""
_PACE_S: Final = 0.1
_MAX_READS: Final = 5
"""How many pages of the inbox are read for one page of `mine`."""


class InboxEntryView(Struct, frozen=True, kw_only=True):
    """An approval in a list.

    `subject`: what the run is about, if its pipeline's contract has a subject. `round`: 2 for a question that
    is asked a second time, and so on. `picture`: the path of a picture of what the question is about.
    `claim`: who has claimed it; not in effect after its `until`. `handed_to`: the group or subject to which
    it was handed over. `people`: if any, the only subjects whose answers count. `outcome` is `modified` if
    the answer edits what was proposed.
    """

    run_id: str
    approval_id: str
    title: str
    subject: str | None
    pipeline: str
    requested_at: datetime
    deadline_at: datetime | None
    url: str
    status: Literal["pending", "decided", "vetoed"]
    round: int
    picture: str | None
    claim: ClaimState | None
    handed_to: str | None
    people: tuple[str, ...]
    decided_by: str | None
    decided_at: datetime | None
    outcome: str | None


class InboxView(Struct, frozen=True, kw_only=True):
    """`next_cursor` is null on the last page; `total` counts the pending approvals of all pages.

    With `mine`, a page can have fewer entries than `limit`, or none, although more pages follow, and `total`
    still counts all pending approvals. With `status=decided` there is one page, whose entries `total` counts.
    """

    approvals: tuple[InboxEntryView, ...]
    next_cursor: str | None
    total: int


class InboxReader:
    """Reads pages of the inbox."""

    def __init__(self, streams: RunStream) -> None:
        self._streams = streams
        self._first_pages: WeakValueDictionary[str, SharedPage] = WeakValueDictionary()

    async def page(self, tenant: str, *, limit: int, cursor: str | None) -> InboxView:
        """Read one page, oldest first.

        Raises:
            InvalidInput: the cursor is not from an earlier page.
        """
        page = await self._streams.inbox(tenant, after=_position(cursor), limit=limit)
        return InboxView(
            approvals=tuple(map(_entry, page.items)), next_cursor=_cursor(page.next), total=page.total
        )

    async def page_of(self, voter: Subject, tenant: str, *, limit: int, cursor: str | None) -> InboxView:
        """Read the approvals that a subject may answer and has not answered, oldest first.

        Raises:
            InvalidInput: the cursor is not from an earlier page.
        """
        found: list[InboxItem] = []
        position, total = _position(cursor), 0
        for _ in range(_MAX_READS):
            page = await self._streams.inbox(
                tenant, after=position, limit=limit - len(found), voter=voter.subject
            )
            position, total = page.next, page.total
            found += [item for item in page.items if _awaits(item, voter)]
            if position is None or len(found) == limit:
                break
        return InboxView(approvals=tuple(map(_entry, found)), next_cursor=_cursor(position), total=total)

    async def decided(self, tenant: str, *, limit: int) -> InboxView:
        """Read the latest decided approvals, newest first."""
        entries = tuple(map(_decided_entry, await self._streams.decided(tenant, limit)))
        return InboxView(approvals=entries, next_cursor=None, total=len(entries))

    async def first_page(self, tenant: str) -> bytes:
        """Return the first page as JSON, not older than the call."""
        return await self.shared_page(tenant).get()

    def shared_page(self, tenant: str) -> "SharedPage":
        """The first page of a tenant, shared by all who hold it."""
        shared = self._first_pages.get(tenant)
        if shared is None:
            shared = self._first_pages[tenant] = SharedPage(self, tenant)
        return shared


class SharedPage:
    """The first page of one tenant's inbox. Concurrent calls share a read and its encoding."""

    def __init__(self, reader: InboxReader, tenant: str) -> None:
        self._reader = reader
        self._tenant = tenant
        self._lock = asyncio.Lock()
        self._calls = 0
        self._covered = 0
        self._read_at = float("-inf")
        self._body = b""

    async def get(self, *, paced: bool = False) -> bytes:
        """Return the page as JSON, not older than the call.

        Args:
            paced: wait until the last read is a tenth of a second old, so that many changes cause few reads.
        """
        self._calls += 1
        call = self._calls
        async with self._lock:
            if call > self._covered:
                if paced:
                    await asyncio.sleep(max(0.0, self._read_at + _PACE_S - time.monotonic()))
                await self._read()
            return self._body

    async def _read(self) -> None:
        # The read covers all calls made before it begins; those made during it need the next one.
        covered, self._read_at = self._calls, time.monotonic()
        page = await self._reader.page(self._tenant, limit=INBOX_PAGE, cursor=None)
        self._body, self._covered = msgspec.json.encode(page), covered


def _entry(item: InboxItem) -> InboxEntryView:
    return InboxEntryView(
        run_id=item.run_id,
        approval_id=item.approval_id,
        title=item.title,
        subject=item.subject,
        pipeline=item.pipeline,
        requested_at=item.requested_at,
        deadline_at=item.deadline_at,
        url=_url(item.run_id, item.approval_id),
        status="pending",
        round=item.round,
        picture=artifact_url(item.run_id, item.picture) if item.picture is not None else None,
        claim=item.claim,
        handed_to=item.handed_to,
        people=item.policy.people if item.policy is not None else (),
        decided_by=None,
        decided_at=None,
        outcome=None,
    )


def _decided_entry(item: DecidedItem) -> InboxEntryView:
    return InboxEntryView(
        run_id=item.run_id,
        approval_id=item.approval_id,
        title=item.title,
        subject=item.subject,
        pipeline=item.pipeline,
        requested_at=item.requested_at or item.decided_at,
        deadline_at=None,
        url=_url(item.run_id, item.approval_id),
        status=item.status,
        round=1,
        picture=None,
        claim=None,
        handed_to=None,
        people=(),
        decided_by=item.decided_by,
        decided_at=item.decided_at,
        outcome=item.outcome,
    )


def _awaits(item: InboxItem, voter: Subject) -> bool:
    policy = item.policy
    if policy is not None and item.starter is None:
        # It is unknown whether the voter started the run. The run checks it, so rather list one too many.
        policy = replace(policy, exclude_starter=False)
    return not item.has_voted and may_answer(policy, item.starter or None, voter)


def _url(run_id: str, approval_id: str) -> str:
    return f"/v1/runs/{quote(run_id, safe='')}/approvals/{quote(approval_id, safe='')}"


def _cursor(position: InboxPosition | None) -> str | None:
    return base64url.encode(msgspec.json.encode(position)) if position is not None else None


def _position(cursor: str | None) -> InboxPosition | None:
    if cursor is None:
        return None
    try:
        return msgspec.json.decode(base64url.decode(cursor), type=InboxPosition)
    except (ValueError, msgspec.DecodeError):
        raise invalid_cursor("GET /v1/approvals") from None
