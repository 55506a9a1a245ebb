"""What a workflow may start and signal: workflows of its own tenant. Pure."""

from typing import Final

from signalbox_core.ids import RUN_ID, run_key, tenant_of
from signalbox_core.pipeline.contract.failures import non_retryable_error

TENANT_MATCHES: Final = "signalbox.tenant-matches"
"""The patch since which tenants that disagree are refused; older histories replay as recorded."""


def workflow_id_in_tenant(target: str, *, own_id: str) -> str:
    """Return the workflow id for the target of a child workflow or a message.

    A run id becomes a key of the workflow's tenant, so that two tenants can use the same one. Any other id,
    for example one with a slash, is shared by all tenants and stays as it is.

    Args:
        own_id: the id of the workflow itself; without a tenant, as of an older run, nothing is changed.
    """
    tenant = tenant_of(own_id)
    return run_key(tenant, target) if tenant is not None and RUN_ID.fullmatch(target) else target


def tenant_mismatch(message: str) -> Exception:
    """The error of a run whose tenant is stated differently in two places."""
    return non_retryable_error("tenant_mismatch", message)
