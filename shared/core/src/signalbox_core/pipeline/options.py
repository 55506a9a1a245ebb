"""Public import path of `CallOptions`: timeouts, heartbeat and retries of an activity call."""

from signalbox_core.pipeline.contract.options import QUICK, CallOptions

__all__ = ["QUICK", "CallOptions"]
