"""The interface of a provider of burst workers.

A launch has the same id everywhere. It is requested once; whether the provider accepted it is read from the
provider's list, never found out by a second request.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Final, Protocol

from msgspec import Struct

from signalbox_core.errors import Unavailable
from signalbox_core.scaling.burst import LAUNCH_VARIABLE

QUEUE_VARIABLE: Final = "SIGNALBOX_WORKER_TASK_QUEUES"
SLOTS_VARIABLE: Final = "SIGNALBOX_WORKER_MAX_ACTIVITIES"


class LaunchSpec(Struct, frozen=True, kw_only=True):
    """One launch as it is requested from a provider.

    Attributes:
        launch_id: 1 to 63 characters of a-z, 0-9 and -.
        workers: number of workers; the provider gives each its index.
        timeout_s: after which the provider kills them.
        environment: variables of every worker, in addition to those that the provider has configured.
    """

    launch_id: str
    workers: int
    timeout_s: int
    environment: Mapping[str, str]

    @property
    def variables(self) -> Mapping[str, str]:
        """The environment and the launch id."""
        return {**self.environment, LAUNCH_VARIABLE: self.launch_id}


class ExecutionState(StrEnum):
    """The life cycle of an execution; the last three states are final."""

    STARTING = "starting"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


ENDS: Final = frozenset({ExecutionState.SUCCEEDED, ExecutionState.FAILED, ExecutionState.CANCELLED})


class AcceptedLaunch(Struct, frozen=True, kw_only=True):
    """What was requested for an execution, as the provider keeps it.

    Attributes:
        queue: the task queue of its workers; slots: of each worker.
        accepted_at: when the provider accepted the request.
    """

    queue: str
    slots: int
    workers: int
    accepted_at: datetime


class Execution(Struct, frozen=True, kw_only=True):
    """A launch as its provider lists it.

    Attributes:
        handle: the provider's name for it.
        accepted: None: an autoscaler did not request it.
        running, succeeded, failed, cancelled: number of workers.
        lasted_s: from its start to its end, or until now.
    """

    launch_id: str
    handle: str
    state: ExecutionState
    running: int = 0
    succeeded: int = 0
    failed: int = 0
    cancelled: int = 0
    lasted_s: float = 0.0
    accepted: AcceptedLaunch | None = None


def parse_accepted(
    variables: Mapping[str, str], *, workers: int, accepted_at: datetime | None
) -> AcceptedLaunch | None:
    """Read what was requested from the environment of an execution; None: an autoscaler did not set it."""
    queue, slots = variables.get(QUEUE_VARIABLE), variables.get(SLOTS_VARIABLE, "")
    if not queue or not (slots.isascii() and slots.isdecimal()) or workers < 1 or accepted_at is None:
        return None
    return AcceptedLaunch(queue=queue, slots=int(slots), workers=workers, accepted_at=accepted_at)


class LaunchRefused(Unavailable):
    """The provider refused the launch: nothing was started. A later launch may be accepted."""

    code = "launch_refused"


class LaunchUncertain(Unavailable):
    """It is unknown whether the provider accepted the launch; its list will show it."""

    code = "launch_uncertain"


class Provider(Protocol):
    """Runs burst workers.

    Attributes:
        name: for logs.
        max_workers: per launch. A launch is cancelled as a whole, so it should be small.
        listing_delay_s: after how long the list shows every launch that was accepted.
    """

    name: str
    max_workers: int
    listing_delay_s: float

    async def launch(self, spec: LaunchSpec) -> str:
        """Start the workers; where launch ids are unique, a second request with the same id starts nothing.

        Returns:
            The handle.

        Raises:
            LaunchRefused: nothing was started.
            LaunchUncertain: workers may have been started.
        """
        ...

    async def executions(self) -> Sequence[Execution]:
        """List the running launches and those that ended recently.

        Raises:
            Unavailable: the provider did not answer.
        """
        ...

    async def cancel(self, handle: str) -> None:
        """Kill the workers of a launch. An ended or unknown launch is ignored.

        Raises:
            Unavailable: the provider did not answer.
        """
        ...

    async def aclose(self) -> None:
        """Close connections. Workers keep running, unless they cannot outlive this process."""
        ...
