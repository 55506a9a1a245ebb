"""The names of a run's keys in Redis. All of one run share a hash tag, so they live on one node of a cluster."""

from typing import Final

GAPS: Final = "signalbox:gaps"
"""The runs that have parked events: an index, mended when it is read."""


class RunKeys:
    """Keys and channel of one run."""

    def __init__(self, run_id: str) -> None:
        prefix = f"signalbox:run:{{{run_id}}}"
        self.meta = f"{prefix}:meta"
        self.log = f"{prefix}:log"
        self.newest = f"{prefix}:newest"
        self.parked = f"{prefix}:parked"
        self.channel = f"{prefix}:live"

    @property
    def all(self) -> list[str]:
        """In the order in which the script takes them."""
        return [self.meta, self.log, self.newest, self.parked]


def tenant_news(tenant: str) -> str:
    """What the news of a tenant is heard under, in the place of a run id (no run id has a slash): runs that appear, its inbox."""
    return f"tenant/{tenant}"


def open_runs_key(tenant: str) -> str:
    """The index of a tenant's open runs, by when they were first seen."""
    return f"signalbox:open:{{{tenant}}}"


def inbox_key(tenant: str) -> str:
    """The index of a tenant's open approvals."""
    return f"signalbox:inbox:{{{tenant}}}"
