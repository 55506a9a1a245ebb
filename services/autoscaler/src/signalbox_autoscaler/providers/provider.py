"""What a provider of burst workers must do, whoever it is.

A launch has one name everywhere, its launch id. A provider is asked once for a launch; whether it took it is then read from its list,
never found out by asking again.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Final, Protocol

from msgspec import Struct

from signalbox_core.errors import Unavailable
from signalbox_core.scaling.burst import LAUNCH_VARIABLE


class Order(Struct, frozen=True, kw_only=True):
    """One launch, as a provider is asked for it.

    Attributes:
        launch_id: 1 to 63 of a-z, 0-9 and -.
        workers: how many; each learns its number from the provider.
        timeout_s: after which the provider ends them, whatever they do.
        environment: what every worker of it is given beside what its job holds already.
    """

    launch_id: str
    workers: int
    timeout_s: int
    environment: Mapping[str, str]

    @property
    def variables(self) -> Mapping[str, str]:
        """The environment with the launch id in it."""
        return {**self.environment, LAUNCH_VARIABLE: self.launch_id}


class ExecutionState(StrEnum):
    """Where an execution is; the last three are ends."""

    STARTING = "starting"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


ENDS: Final = frozenset({ExecutionState.SUCCEEDED, ExecutionState.FAILED, ExecutionState.CANCELLED})


class Execution(Struct, frozen=True, kw_only=True):
    """A launch as its provider sees it.

    Attributes:
        handle: the provider's own name of it.
        running, succeeded, failed, cancelled: workers.
        lasted_s: from its begin to its end, or until now.
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
    """The provider did not take the launch: nothing runs and nothing will. It may take another later."""

    code = "launch_refused"


class LaunchUncertain(Unavailable):
    """Nobody knows whether the provider took the launch; its list will tell."""

    code = "launch_uncertain"


class Provider(Protocol):
    """Attributes:
    name: for people.
    max_workers: of one launch; a launch is cancelled as a whole, so it should be small.
    settles_s: after this long a launch that is not in the list was not taken.
    """

    name: str
    max_workers: int
    settles_s: float

    async def launch(self, order: Order) -> str:
        """Ask once; the handle. A launch id that it has already is not launched twice.

        Raises:
            LaunchRefused: nothing was started.
            LaunchUncertain: something may have been.
        """
        ...

    async def executions(self) -> Sequence[Execution]:
        """Every launch it runs, and those that ended lately.

        Raises:
            Unavailable: it does not answer.
        """
        ...

    async def cancel(self, handle: str) -> None:
        """End it now, busy or not. What has ended, or is unknown, is left alone.

        Raises:
            Unavailable: it does not answer.
        """
        ...

    async def aclose(self) -> None:
        """Let go of connections; what runs, runs on, unless it cannot outlive this process."""
        ...
