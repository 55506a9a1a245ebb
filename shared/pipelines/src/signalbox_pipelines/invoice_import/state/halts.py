"""Which errors stop an activity without failing it: the workflow waits, asks somebody, and goes on where it was. Pure."""

from signalbox_core.errors import RateLimited, SignalboxError
from signalbox_pipelines.invoice_import.messages import Halt
from signalbox_pipelines.invoice_import.pacing.pacing import NotYet
from signalbox_pipelines.invoice_import.portal.faults import Blocked, Busy, SessionOver

BUSY_WAIT_S = 2.0


def halt_for(error: SignalboxError) -> Halt | None:
    """The halt that an error means; None for one that fails what met it."""
    if isinstance(error, SessionOver):
        return Halt(reason="session_over", message=error.detail)
    if isinstance(error, Blocked):
        return Halt(reason="blocked", message=error.detail)
    if isinstance(error, NotYet):
        return Halt(reason="wait", message=error.why, wait_s=error.retry_after_s)
    if isinstance(error, RateLimited):
        return Halt(reason="wait", message="it asked to slow down", wait_s=error.retry_after_s)
    if isinstance(error, Busy):
        return Halt(reason="wait", message="it does not answer as it should", wait_s=BUSY_WAIT_S)
    return None
