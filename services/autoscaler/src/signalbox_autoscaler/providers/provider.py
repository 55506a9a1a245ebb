"""The interface of a provider of burst workers.

A launch has the same id everywhere. It is requested once; whether the provider accepted it is read from the
provider's list, never found out by a second request.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Final, Protocol

from msgspec import Struct

from signalbox_core.errors import Unavailable
from signalbox_core.scaling.burst import LAUNCH_VARIABLE


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


class Execution(Struct, frozen=True, kw_only=True):
    """A launch as its provider lists it.

    Attributes:
        handle: the provider's name for it.
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
