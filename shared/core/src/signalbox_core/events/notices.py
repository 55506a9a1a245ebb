"""The data of events about an open run that the gateway observes from outside the workflow."""

from datetime import datetime
from typing import Annotated

from msgspec import Meta, Struct


class RunBlocked(Struct, frozen=True, kw_only=True):
    """The run cannot continue until someone acts.

    Attributes:
        code: `non_determinism`, `workflow_error`, `deadlock`, `task_timeout` or `no_worker`.
        reason: a sentence that names the cause and the remedy.
    """

    code: str
    reason: str
    since: datetime


class RunQueued(Struct, frozen=True, kw_only=True):
    """`ahead` approximates the number of tasks in the queue."""

    ahead: Annotated[int, Meta(ge=0, le=2**53 - 1)]
    reason: str
    since: datetime


class RunUnblocked(Struct, frozen=True, kw_only=True):
    """`since`: when the run was blocked or queued."""

    since: datetime
