"""Limits on open streams: per process, per principal, per tenant and per client address."""

import logging
from collections import Counter
from datetime import timedelta
from enum import StrEnum
from typing import Final

from msgspec import Struct
from starlette.requests import HTTPConnection

from signalbox_core.errors import Unavailable
from signalbox_gateway.auth.principal import Principal
from signalbox_gateway.settings import Settings

log = logging.getLogger(__name__)

RESERVED_FILES: Final = 128
"""Open files that streams leave to requests, backends and key files."""


class StreamLimits(Struct, frozen=True, kw_only=True):
    """Limits and timers of this process's streams.

    Attributes:
        listeners: maximum number of open streams. Above this limit or the next three, a new stream only
            sets `retry:` and ends.
        per_principal: maximum per principal.
        per_tenant: maximum per tenant; None is half of `listeners`.
        per_address: maximum per client address.
        lifetime: maximum age of a stream. It ends cleanly after 80 to 100 % of it; the browser reconnects.
        heartbeat: how long a stream may be silent before a heartbeat (`ping`) is sent.
        recheck: how often the authorization of an open stream is checked again.
        sweep: how often these timers are evaluated.
    """

    listeners: int = 5_000
    per_principal: int = 1_000
    per_tenant: int | None = None
    per_address: int = 1_000
    lifetime: timedelta = timedelta(minutes=10)
    heartbeat: timedelta = timedelta(seconds=12)
    recheck: timedelta = timedelta(seconds=15)
    sweep: timedelta = timedelta(seconds=1)

    @property
    def tenant_limit(self) -> int:
        """The maximum per tenant."""
        return self.per_tenant if self.per_tenant is not None else max(1, self.listeners // 2)


def stream_limits(settings: Settings, open_files: int) -> StreamLimits:
    """The limits that the settings configure.

    Args:
        open_files: the process's limit. Without a file for its connection, neither a stream could be refused
            nor another request be answered; so streams get what is left after `RESERVED_FILES`.
    """
    listeners = max(1, min(settings.max_listeners, open_files - RESERVED_FILES))
    if listeners < settings.max_listeners:
        log.warning(
            "the limit of open files permits fewer streams than SIGNALBOX_GATEWAY_MAX_LISTENERS; raise it"
            " (ulimit -n)",
            extra={"open_files": open_files, "listeners": listeners},
        )
    return StreamLimits(
        listeners=listeners,
        per_principal=settings.max_listeners_per_principal,
        per_tenant=settings.max_listeners_per_tenant,
        per_address=settings.max_listeners_per_address,
    )


class ConnectionOwner(Struct, frozen=True):
    """Whom a stream is counted against. An empty field is not limited."""

    principal: str = ""
    address: str = ""
    tenant: str = ""


class LimitReason(StrEnum):
    """Why a stream was not admitted."""

    DRAINING = "draining"
    PROCESS = "process"
    PRINCIPAL = "principal"
    TENANT = "tenant"
    ADDRESS = "address"


class StreamLimitReached(Unavailable):
    """A stream is not opened: a limit of open streams is reached, or the gateway is shutting down."""

    def __init__(self, reason: LimitReason) -> None:
        if reason is LimitReason.DRAINING:
            super().__init__("this gateway is shutting down; connect again", code="draining")
        else:
            super().__init__(f"the limit of open streams is reached ({reason}); connect again later")
        self.reason = reason


def owner_of(request: HTTPConnection, principal: Principal) -> ConnectionOwner:
    """Whom the stream of this request is counted against."""
    address = request.client.host if request.client else ""
    return ConnectionOwner(principal.key_id, address, principal.tenant)


class ConnectionLimiter:
    """Counts open streams and decides whether one more is admitted."""

    def __init__(self, limits: StreamLimits) -> None:
        self._limits = limits
        self._open = 0
        self._by_principal: Counter[str] = Counter()
        self._by_address: Counter[str] = Counter()
        self._by_tenant: Counter[str] = Counter()

    def check_admission(self, owner: ConnectionOwner) -> LimitReason | None:
        """The limit that this owner has reached; None when the stream is admitted."""
        if self._open >= self._limits.listeners:
            return LimitReason.PROCESS
        if owner.principal and self._by_principal[owner.principal] >= self._limits.per_principal:
            return LimitReason.PRINCIPAL
        if owner.tenant and self._by_tenant[owner.tenant] >= self._limits.tenant_limit:
            return LimitReason.TENANT
        if owner.address and self._by_address[owner.address] >= self._limits.per_address:
            return LimitReason.ADDRESS
        return None

    def acquire(self, owner: ConnectionOwner) -> None:
        self._open += 1
        self._by_principal[owner.principal] += 1
        self._by_address[owner.address] += 1
        self._by_tenant[owner.tenant] += 1

    def release(self, owner: ConnectionOwner) -> None:
        self._open -= 1
        for counter, name in (
            (self._by_principal, owner.principal),
            (self._by_address, owner.address),
            (self._by_tenant, owner.tenant),
        ):
            counter[name] -= 1
            if counter[name] <= 0:
                del counter[name]
