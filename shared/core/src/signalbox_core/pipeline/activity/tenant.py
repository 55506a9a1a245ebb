"""The tenant of the activity in progress, and the objects that it may use."""

from contextvars import ContextVar
from typing import Final
from urllib.parse import quote

from signalbox_core.ids import is_run_key, tenant_of
from signalbox_core.temporal.names import DEFAULT_TENANT

call_tenant: Final[ContextVar[str]] = ContextVar("signalbox_tenant", default=DEFAULT_TENANT)
"""Set by the worker's interceptor around each activity."""
TENANT_FOLDERS: Final = frozenset({"uploads", "payloads", "documents", "batches", "gdt"})
"""Folders of the object store whose second part is the tenant."""
SYSTEM_FOLDERS: Final = frozenset({"decisions", "ledger", "passkeys", "settings"})
"""Folders of the object store that only Signalbox's services use."""


def current_tenant() -> str:
    """Return the tenant of the activity in progress; outside a worker, the default tenant."""
    return call_tenant.get()


def is_own_key(key: str) -> bool:
    """Whether an object may belong to the tenant of the activity in progress.

    What the services keep belongs to no tenant. Another tenant's are the objects in its part of a folder of
    TENANT_FOLDERS, and every key with a part that is the key of one of its runs. Outside an activity, and in
    one without a tenant, every key is accepted.
    """
    tenant = call_tenant.get("")
    if not tenant:
        return True
    parts = key.split("/")
    if parts[0] in SYSTEM_FOLDERS:
        return False
    if parts[0] in TENANT_FOLDERS and parts[1:2] != [quote(tenant, safe="")]:
        return False
    return all(tenant_of(part) == tenant for part in parts if is_run_key(part))
