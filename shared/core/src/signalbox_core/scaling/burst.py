"""Burst workers: the names that the autoscaler and the workers it launches agree on."""

from datetime import timedelta
from typing import Final

LAUNCH_VARIABLE: Final = "SIGNALBOX_WORKER_BURST_LAUNCH"
"""The environment variable with a burst worker's launch id; also finds the launch at the provider."""
RETIRE_KEPT_FOR: Final = timedelta(days=1)
_PREFIX: Final = "burst:"


def burst_identity(launch_id: str, index: int) -> str:
    """Return the Temporal identity of a launch's worker."""
    return f"{_PREFIX}{launch_id}:{index}"


def launch_of(identity: str) -> str | None:
    """Return the launch id from a burst worker's identity; None for any other worker."""
    kind, _, rest = identity.partition(_PREFIX)
    launch_id, colon, index = rest.rpartition(":")
    return launch_id if not kind and colon and launch_id and index.isdecimal() else None


def retire_key(identity: str) -> str:
    """Return the Redis key whose presence makes this worker drain and exit."""
    return f"signalbox:retire:{{{identity}}}"
