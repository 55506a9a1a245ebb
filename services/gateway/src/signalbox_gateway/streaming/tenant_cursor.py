"""The event id of a tenant's stream: the position in every run that the stream follows. Pure.

`<cursor>,<cursor>,~<seconds>.<digest><cursor>.<digest><cursor>`: a cursor of each run that the request
includes, in the order of the request, then when the id was written and a cursor of each other run. A digest
stands for the key of the run's stream, so that an id of 500 runs fits into a request header.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from msgspec import Struct

from signalbox_core import base64url
from signalbox_core.errors import InvalidInput
from signalbox_core.streams import Cursor
from signalbox_gateway.streaming.cursor import RunSubscription, event_id, parse_subscriptions

TRANSIT: Final = timedelta(seconds=60)
"""How long the end of a run may take to arrive, and how long an id keeps the position of an ended run."""
DELIVERED: Final = Cursor("end", 0)
"""The position in a run of which nothing is left to send."""
_DIGEST_LENGTH: Final = 8


class TenantCursor(Struct, frozen=True, kw_only=True):
    """A position in a tenant's stream.

    Attributes:
        positions: by the digest of the run's key; `DELIVERED` for a run whose `end` was sent.
    """

    written_at: datetime
    positions: Mapping[str, Cursor]


class ResumePlan(Struct, frozen=True, kw_only=True):
    """The runs with which a resumed stream continues.

    Attributes:
        is_complete: every run of the cursor was found, so the listener has missed nothing.
    """

    subscriptions: tuple[RunSubscription, ...]
    is_complete: bool


def key_digest(key: str) -> str:
    """Eight characters that stand for the key of a run's stream."""
    digest = hashlib.blake2b(key.encode(), digest_size=6).digest()
    return base64url.encode(digest)


def encode_cursor(
    included: Sequence[RunSubscription], followed: Iterable[tuple[str, Cursor | None]], now: datetime
) -> str:
    """Encode an event id.

    Args:
        included: the runs that the request names.
        followed: digest and position of every other run.
    """
    known = [(digest, position) for digest, position in followed if position is not None and position.epoch]
    entries = [f"{digest}{position}" for digest, position in known]
    own = ".".join([f"~{int(now.timestamp())}", *entries])
    return f"{event_id(included)},{own}" if included else own


def parse_cursor(
    keys: Sequence[str], last_event_id: str | None, *, include_history: bool = False
) -> tuple[list[RunSubscription], TenantCursor | None]:
    """Parse `Last-Event-ID` of a tenant's stream that includes these runs.

    A malformed id is treated like an expired position: the named runs are reset, and the stream starts over.
    """
    head, _, own = (last_event_id or "").rpartition("~")
    subscriptions = parse_subscriptions(
        keys, head.removesuffix(",") if own else last_event_id, include_history=include_history
    )
    return subscriptions, _parse_own(own)


def _parse_own(text: str) -> TenantCursor | None:
    seconds, *entries = text.split(".")
    if not (seconds.isascii() and seconds.isdecimal() and len(seconds) <= 11):
        return None
    try:
        positions = {entry[:_DIGEST_LENGTH]: Cursor.parse(entry[_DIGEST_LENGTH:]) for entry in entries}
    except InvalidInput:
        return None
    return TenantCursor(written_at=datetime.fromtimestamp(int(seconds), UTC), positions=positions)


def plan_resume(
    cursor: TenantCursor, open_runs: Sequence[str], ended_runs: Mapping[str, datetime]
) -> ResumePlan:
    """Choose from where to continue each run.

    A run that the cursor lacks has started since and is sent in full. That holds for a run which has ended
    too, unless it ended so long before the cursor was written that its position is no longer kept in the id.
    A run whose `end` was already sent, and which is open or ended long after that, has been retried, and is
    sent in full again.
    """
    subscriptions, found, is_open = [], set(), set(open_runs)
    for key in dict.fromkeys([*open_runs, *ended_runs]):
        digest = key_digest(key)
        found.add(digest)
        position, ended_at = cursor.positions.get(digest), ended_runs.get(key)
        if position == DELIVERED:
            if key not in is_open and (ended_at is None or ended_at <= cursor.written_at + TRANSIT):
                continue
            position = None
        if position is not None:
            subscriptions.append(RunSubscription(key, position))
        elif ended_at is None or ended_at >= cursor.written_at - TRANSIT:
            subscriptions.append(RunSubscription(key, None, include_history=True))
    missing = {digest for digest, position in cursor.positions.items() if position != DELIVERED} - found
    return ResumePlan(subscriptions=tuple(subscriptions), is_complete=not missing)
