"""Which errors pause the import: the workflow waits or asks a person, then continues. Pure."""

from signalbox_core.errors import RateLimited, SignalboxError
from signalbox_pipelines.invoice_import.messages import Halt
from signalbox_pipelines.invoice_import.pacing.rate_limiter import PermitDelayed
from signalbox_pipelines.invoice_import.portal.faults import PortalBlocked, PortalBusy, SessionExpired

BUSY_WAIT_S = 2.0


def halt_for(error: SignalboxError) -> Halt | None:
    """Return the halt that an error causes; None for an error that is a failure."""
    if isinstance(error, SessionExpired):
        return Halt(reason="session_over", message=error.detail)
    if isinstance(error, PortalBlocked):
        return Halt(reason="blocked", message=error.detail)
    if isinstance(error, PermitDelayed):
        return Halt(reason="wait", message=error.why, wait_s=error.retry_after_s)
    if isinstance(error, RateLimited):
        return Halt(reason="wait", message="it asked to slow down", wait_s=error.retry_after_s)
    if isinstance(error, PortalBusy):
        return Halt(reason="wait", message="it is slow or does not respond", wait_s=BUSY_WAIT_S)
    return None
