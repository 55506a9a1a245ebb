"""The tenant of the activity in progress, and the objects that it may use."""

from contextvars import ContextVar
from typing import Final
from urllib.parse import quote

from signalbox_core.ids import is_run_key, tenant_of
from signalbox_core.temporal.names import DEFAULT_TENANT

call_tenant: Final[ContextVar[str]] = ContextVar("signalbox_tenant", default=DEFAULT_TENANT)
"""Set by the worker's interceptor around each activity."""
_TENANT_FOLDERS: Final = frozenset({"uploads", "payloads"})
"""Folders of the object store whose second part is the tenant."""


def current_tenant() -> str:
    """Return the tenant of the activity in progress; outside a worker, the default tenant."""
    return call_tenant.get()


def is_own_key(key: str) -> bool:
    """Whether an object may belong to the tenant of the activity in progress.

    Another tenant's are uploads and payloads in its folder, and every key with a part that is the key of one
    of its runs. Outside an activity, and in one without a tenant, every key is accepted.
    """
    tenant = call_tenant.get("")
    if not tenant:
        return True
    parts = key.split("/")
    if parts[0] in _TENANT_FOLDERS and parts[1:2] != [quote(tenant, safe="")]:
        return False
    return all(tenant_of(part) == tenant for part in parts if is_run_key(part))
