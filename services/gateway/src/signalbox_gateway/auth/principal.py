"""The principal of a request: name, tenant and roles. A role grants only what CONTAINS lists."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Final

from msgspec import Struct
from starlette.requests import HTTPConnection

from signalbox_core.crypto.api_keys import Role
from signalbox_core.decision_doors import Door
from signalbox_core.errors import Forbidden
from signalbox_core.subjects import Subject
from signalbox_gateway.auth.issuers import TokenIdentity
from signalbox_gateway.auth.token_scope import TokenScope

# The roles that each role includes.
CONTAINS: Final[Mapping[Role, frozenset[Role]]] = {
    Role.VIEWER: frozenset({Role.VIEWER}),
    Role.OPERATOR: frozenset({Role.OPERATOR, Role.VIEWER}),
    Role.APPROVER: frozenset({Role.APPROVER, Role.VIEWER}),
    Role.ADMIN: frozenset({Role.ADMIN, Role.OPERATOR, Role.APPROVER, Role.VIEWER}),
    Role.DEPLOYMENT_OPERATOR: frozenset({Role.DEPLOYMENT_OPERATOR}),
}


class Principal(Struct, frozen=True, kw_only=True):
    """Who is calling.

    Attributes:
        key_id: the id of the API key, or `oidc:<issuer>:<subject>`; what rate and stream limits count by.
        subject: the stable identity of who is calling; its name is only set for people.
        expires_at: when the credentials expire: the earlier of API key or token and of session or ticket.
        token_identity: the verified claims of a token; None for an API key.
        scope: of a scoped token, which permits less than its roles; None for other credentials.
        door: how the request was authenticated, as decisions record it.
    """

    key_id: str
    name: str
    tenant: str
    roles: frozenset[Role]
    subject: Subject
    expires_at: datetime | None = None
    token_identity: TokenIdentity | None = None
    scope: TokenScope | None = None
    door: Door = "api"

    def has(self, role: Role) -> bool:
        return any(role in CONTAINS[own] for own in self.roles)

    def require(self, role: Role) -> None:
        """Raises: Forbidden: the principal lacks the role."""
        if not self.has(role):
            raise Forbidden(
                f"this requires the role {role}; {self.name} has: {', '.join(sorted(self.roles)) or 'none'}",
                role=str(role),
            )

    @property
    def may_decide(self) -> bool:
        """Whether the principal may decide approvals, unless a policy excludes it. Agents never may."""
        return self.has(Role.APPROVER) and self.subject.kind != "agent"

    @property
    def may_name_end_users(self) -> bool:
        """Whether tokens may be minted on behalf of end users.

        Only API keys of backends may: a person who names others could vote more than once.
        """
        return self.subject.kind == "service" and self.token_identity is None

    def require_decider(self) -> None:
        """Raises: Forbidden: the principal is an agent, which never decides."""
        if self.subject.kind == "agent":
            raise Forbidden(
                f"agents never decide, whatever their roles, and {self.subject.subject} is one; ask a person",
                code="not_allowed_by_policy",
            )


def event_source(key_id: str, name: str, tenant: str) -> Principal:
    """Return the principal of a configured source of external events; it may start runs of its tenant."""
    subject = Subject(subject=key_id, kind="service", name=name)
    return Principal(
        key_id=key_id, name=name, tenant=tenant, roles=frozenset({Role.OPERATOR}), subject=subject
    )


Authenticate = Callable[[HTTPConnection], Awaitable[Principal]]
"""Finds the principal of a request. Raises: Unauthenticated, Forbidden."""


def earliest(known: datetime, other: datetime | None) -> datetime:
    """The earlier of the two; None means never."""
    return min(known, other) if other is not None else known
