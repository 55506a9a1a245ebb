"""Public import path of `CallOptions` (timeouts, heartbeat and retries of a call) and `QUICK`."""

from signalbox_core.pipeline.contract.options import QUICK, CallOptions

__all__ = ["QUICK", "CallOptions"]
