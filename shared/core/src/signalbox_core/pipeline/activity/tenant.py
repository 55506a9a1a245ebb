"""The tenant of the activity in progress."""

from contextvars import ContextVar
from typing import Final

from signalbox_core.temporal.names import DEFAULT_TENANT

call_tenant: Final[ContextVar[str]] = ContextVar("signalbox_tenant", default=DEFAULT_TENANT)
"""Set by the worker's interceptor around each activity."""


def current_tenant() -> str:
    """Return the tenant of the activity in progress; outside a worker, the default tenant."""
    return call_tenant.get()
