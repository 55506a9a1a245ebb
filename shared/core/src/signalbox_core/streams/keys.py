"""Redis key names. All keys of one run share a hash tag, so they are on one node of a cluster."""

from typing import Final

GAPS: Final = "signalbox:gaps"
"""The index of runs that have parked events; repaired lazily on read."""


class RunKeys:
    """Keys and channel of one run.

    Args:
        key: the run key (`signalbox_core.ids.run_key`), or the run id of a stream that a release without run
            keys created.
    """

    def __init__(self, key: str) -> None:
        prefix = f"signalbox:run:{{{key}}}"
        self.meta = f"{prefix}:meta"
        self.log = f"{prefix}:log"
        self.newest = f"{prefix}:newest"
        self.parked = f"{prefix}:parked"
        self.channel = f"{prefix}:live"

    @property
    def all(self) -> list[str]:
        """The keys in the order that the script expects."""
        return [self.meta, self.log, self.newest, self.parked]


def tenant_channel(tenant: str) -> str:
    """Return the channel of a tenant's notifications (new runs, changes of its inbox).

    Use it in place of a run key; no run key contains a slash.
    """
    return f"tenant/{tenant}"


def open_runs_key(tenant: str) -> str:
    """The index of a tenant's open runs, ordered by when they were first seen."""
    return f"signalbox:open:{{{tenant}}}"


def ended_runs_key(tenant: str) -> str:
    """The index of a tenant's recently ended runs, ordered by when they ended."""
    return f"signalbox:ended:{{{tenant}}}"


def presence_key(tenant: str) -> str:
    """The people who have one of a tenant's questions open."""
    return f"signalbox:presence:{{{tenant}}}"


INBOX_TENANTS: Final = "signalbox:inbox-tenants"
"""The tenants that have or had pending approvals."""


def inbox_key(tenant: str) -> str:
    """The index of a tenant's open approvals."""
    return f"signalbox:inbox:{{{tenant}}}"


def decided_key(tenant: str) -> str:
    """The tenant's latest decided approvals, ordered by the time of the decision."""
    return f"signalbox:decided:{{{tenant}}}"


def inbox_order_key(tenant: str) -> str:
    """The fields of `inbox_key`, ordered by when the approvals were requested."""
    return f"signalbox:inbox-order:{{{tenant}}}"
