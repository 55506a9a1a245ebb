"""Burst workers: the names by which the autoscaler and the workers that it launches know each other."""

from datetime import timedelta
from typing import Final

LAUNCH_VARIABLE: Final = "SIGNALBOX_WORKER_BURST_LAUNCH"
"""Holds the launch id in a burst worker's environment; by it a launch is found again at the provider."""
RETIRE_KEPT_FOR: Final = timedelta(days=1)
_PREFIX: Final = "burst:"


def burst_identity(launch_id: str, index: int) -> str:
    """The Temporal identity of a launch's worker."""
    return f"{_PREFIX}{launch_id}:{index}"


def launch_of(identity: str) -> str | None:
    """The launch id in a burst worker's identity; None for any other worker."""
    kind, _, rest = identity.partition(_PREFIX)
    launch_id, colon, index = rest.rpartition(":")
    return launch_id if not kind and colon and launch_id and index.isdecimal() else None


def retire_key(identity: str) -> str:
    """The Redis key that tells this worker to drain and leave."""
    return f"signalbox:retire:{{{identity}}}"
