"""The bodies of scoped tokens and stream tickets."""

from datetime import datetime
from typing import Annotated

from msgspec import Meta, Struct

from signalbox_gateway.auth.token_scope import EndUser, TokenPermission


class MintToken(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Mints a scoped token, which permits what `allow` lists and nothing else, until it expires.

    `times`: how many runs each `start` may start, and how many approvals each `decide` may decide.
    `expires_in`: seconds. `on_behalf_of`: the person who will use the token; only for keys of kind `service`.
    """

    allow: Annotated[tuple[TokenPermission, ...], Meta(min_length=1, max_length=20)]
    times: Annotated[int, Meta(ge=1, le=1_000)] = 1
    expires_in: Annotated[int, Meta(ge=1, le=86_400)] = 900
    on_behalf_of: EndUser | None = None


class TokenMinted(Struct, frozen=True, kw_only=True):
    """The token is shown once; it is sent as `Authorization: Bearer`. `id` revokes it."""

    id: str
    token: str
    expires_at: datetime


class AskTicket(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    runs: Annotated[tuple[str, ...], Meta(min_length=1, max_length=100)]


class TicketIssued(Struct, frozen=True, kw_only=True):
    """A ticket for the streams of the requested runs, sent as `?ticket=`; reusable until `expires_at`."""

    ticket: str
    expires_at: datetime
