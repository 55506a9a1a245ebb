"""What a scoped token permits, as values: the permissions, the end user, the stored token."""

import secrets
from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Final

from msgspec import Meta, Struct

from signalbox_core.crypto.api_keys import Role
from signalbox_core.errors import Forbidden, InvalidInput
from signalbox_core.ids import derived_id
from signalbox_core.patterns import whole
from signalbox_core.subjects import Subject
from signalbox_gateway.auth.issuers import TokenIdentity

EndUserId = Annotated[str, Meta(max_length=128, pattern=whole(r"[A-Za-z0-9._~@:+-]+"))]
Group = Annotated[str, Meta(min_length=1, max_length=200)]
_Id = Annotated[str, Meta(min_length=1, max_length=128, pattern=whole(r"[^\x00-\x20\x7f]+"))]


class PermittedApproval(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """An approval of one run; without `run_id`, of every run that was started with the token."""

    approval_id: _Id
    run_id: _Id | None = None


class TokenPermission(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """One of three: `start` names a pipeline, `watch` a run, `decide` an approval.

    `start` includes watching the runs that were started with the token, and `decide` reading the approval.
    """

    start: _Id | None = None
    watch: _Id | None = None
    decide: PermittedApproval | None = None

    def __post_init__(self) -> None:
        if sum(value is not None for value in (self.start, self.watch, self.decide)) != 1:
            raise InvalidInput("each permission has exactly one of start, watch and decide", field="allow")

    @property
    def role(self) -> Role:
        """The role that the minter needs, when the token is minted and whenever it is used."""
        if self.start is not None:
            return Role.OPERATOR
        return Role.APPROVER if self.decide is not None else Role.VIEWER


class EndUser(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """A person whom the minter has authenticated. Decisions state `<minter>#<id>` as their subject.

    `groups` are for the policies of approvals; each must be a group of the minter.
    """

    id: EndUserId
    name: Annotated[str, Meta(max_length=200, pattern=whole(r"[^\x00-\x1f\x7f]+"))] | None = None
    groups: Annotated[tuple[Group, ...], Meta(max_length=20)] = ()


class ScopedToken(Struct, frozen=True, kw_only=True):
    """A token as it is stored.

    Attributes:
        key_id, holder: the minter, as in a session: an API key, or the identity of a JWT.
        times: how many runs each `start` may start, and how many approvals each `decide` may decide.
    """

    tenant: str
    key_id: str
    holder: TokenIdentity | None
    allow: tuple[TokenPermission, ...]
    times: int
    expires_at: datetime
    end_user: EndUser | None = None


class TokenScope(Struct, frozen=True, kw_only=True):
    """The limits of a principal that authenticated with a scoped token.

    `token_id` is the SHA-256 of the token; it is safe to store and to log.
    """

    token_id: str
    token: ScopedToken

    @property
    def pipelines(self) -> tuple[str, ...]:
        return tuple(permission.start for permission in self.token.allow if permission.start is not None)

    @property
    def runs(self) -> frozenset[str]:
        return frozenset(permission.watch for permission in self.token.allow if permission.watch is not None)

    def approvals(self, run_id: str, approval_id: str) -> tuple[PermittedApproval, ...]:
        """The permissions that apply to an approval, if the run is permitted by them."""
        return tuple(
            permission.decide
            for permission in self.token.allow
            if permission.decide is not None
            and permission.decide.approval_id == approval_id
            and permission.decide.run_id in (None, run_id)
        )

    def check_start(self, pipeline: str, *, chooses_more: bool) -> None:
        """Check a start before its input is read.

        Args:
            chooses_more: the request has a `run_id`, a `priority` or tags.

        Raises:
            Forbidden: the token does not permit the pipeline, or the request chooses more than its input.
        """
        if pipeline not in self.pipelines:
            raise not_permitted("starting this pipeline")
        if chooses_more:
            # A chosen run id could be that of a run which the token may not watch.
            raise not_permitted("choosing run_id, priority or tags")

    def new_run_id(self, idempotency_key: str | None) -> str:
        """A run id that no other token and no other caller can get."""
        return f"run-{derived_id(self.token.tenant, self.token_id, idempotency_key or secrets.token_hex(16))}"


NOT_PERMITTED: Final = "not_permitted_by_token"


def not_permitted(what: str) -> Forbidden:
    return Forbidden(
        f"this token does not permit {what}; the backend that minted it chooses what it permits",
        code=NOT_PERMITTED,
    )


def effective_roles(allow: Iterable[TokenPermission], minter_roles: Iterable[Role]) -> frozenset[Role]:
    """The roles that the permissions need, as far as the minter has them now."""
    return frozenset(permission.role for permission in allow) & frozenset(minter_roles)


def end_user_subject(minter: Subject, user: EndUser) -> Subject:
    """The subject of an end user; groups that the minter has lost are dropped."""
    return Subject(
        subject=f"{minter.subject}#{user.id}",
        kind="human",
        name=user.name or user.id,
        groups=tuple(group for group in user.groups if group in minter.groups),
    )
