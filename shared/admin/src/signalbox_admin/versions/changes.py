"""Which change of a deployment each step of a rollout makes. Pure."""

from datetime import UTC, datetime
from typing import Final

from signalbox_core.errors import Conflict, NotFound
from signalbox_core.temporal.builds import Build, BuildState, Deployment
from signalbox_core.temporal.deployments import MakeCurrent, Ramp

_NEVER: Final = datetime.min.replace(tzinfo=UTC)
_NAMED: Final = 10


def canary(deployment: Deployment, build_id: str, percent: float, *, is_forced: bool = False) -> Ramp | None:
    """Decide how a build gets its share of the runs; None: it has it.

    Raises:
        NotFound: the deployment has no such build.
        Conflict: the build is current, nothing is current, or another build is ramping.
    """
    build = _known(deployment, build_id)
    if build.state is BuildState.CURRENT:
        raise Conflict(f"build {build_id} of {deployment.name} is current: it gets all runs already")
    if deployment.current is None:
        raise Conflict(
            f"deployment {deployment.name} has no current build to compare with;"
            f" use: signalbox-admin rollout promote {deployment.name} {build_id}"
        )
    _refuse_another_ramp(deployment, build_id)
    if build.state is BuildState.RAMPING and build.percent == percent:
        return None
    return Ramp(build_id=build_id, percent=percent, is_forced=is_forced)


def promote(deployment: Deployment, build_id: str, *, is_forced: bool = False) -> MakeCurrent | None:
    """Decide how a build becomes current; None: it is.

    Raises:
        NotFound: the deployment has no such build.
        Conflict: another build is ramping.
    """
    build = _known(deployment, build_id)
    if build.state is BuildState.CURRENT:
        return None
    _refuse_another_ramp(deployment, build_id)
    return MakeCurrent(build_id=build_id, is_forced=is_forced)


def back(deployment: Deployment, build_id: str, *, is_forced: bool = False) -> MakeCurrent | Ramp | None:
    """Decide how a build stops getting new runs; None: it gets none.

    A ramp ends. In place of a current build, the one that was current before it becomes current again.

    Raises:
        NotFound: the deployment has no such build.
        Conflict: no other build has ever been current.
    """
    build = _known(deployment, build_id)
    if build.state is BuildState.RAMPING:
        return Ramp()
    if build.state is not BuildState.CURRENT:
        return None
    previous = previous_build(deployment, build_id)
    if previous is None:
        raise Conflict(f"no other build of {deployment.name} has ever been current: nothing to go back to")
    return MakeCurrent(build_id=previous.build_id, is_forced=is_forced)


def previous_build(deployment: Deployment, build_id: str) -> Build | None:
    """The build that was current most recently, apart from this one."""
    others = [build for build in deployment.builds if build.build_id != build_id and build.last_current_at]
    return max(others, key=lambda build: build.last_current_at or _NEVER, default=None)


def _known(deployment: Deployment, build_id: str) -> Build:
    build = deployment.build(build_id)
    if build is None:
        names = ", ".join(item.build_id for item in deployment.builds[:_NAMED]) or "none"
        raise NotFound(
            f"deployment {deployment.name} has no build {build_id!r}; builds: {names}. A build is known once"
            " a worker with its SIGNALBOX_WORKER_BUILD_ID has polled"
        )
    return build


def _refuse_another_ramp(deployment: Deployment, build_id: str) -> None:
    ramping = deployment.ramping
    if ramping is not None and ramping.build_id != build_id:
        raise Conflict(
            f"build {ramping.build_id} of {deployment.name} is ramping; end that first:"
            f" signalbox-admin rollout back {deployment.name} {ramping.build_id}"
        )
