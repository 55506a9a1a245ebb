"""Builds of the workers: a current one, workers for pinned runs, no forgotten canary."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import TYPE_CHECKING, Final

from signalbox_admin.checks.findings import Finding, Reporter
from signalbox_core.errors import SignalboxError

if TYPE_CHECKING:
    from temporalio.client import Client

    from signalbox_admin.versions.overview import BuildOverview

_LONG_RAMP: Final = timedelta(days=1)
_REPORT: Final = Reporter("Worker builds")


async def check_deployments(client: "Client") -> list[Finding]:
    """Check the deployments of a namespace; no finding where no worker is versioned."""
    from temporalio.service import RPCError

    from signalbox_admin.versions.overview import describe_builds

    try:
        return assess_builds(await describe_builds(client), datetime.now(UTC))
    except (SignalboxError, RPCError) as error:
        return [_REPORT.error(f"the builds cannot be read: {error}", "check the permissions, then try again")]


def assess_builds(builds: "Sequence[BuildOverview]", now: datetime) -> list[Finding]:
    """Assess the builds of all deployments. Pure."""
    return [
        finding
        for name, group in groupby(builds, key=lambda build: build.deployment)
        for finding in _assess_deployment(name, list(group), now)
    ]


def _assess_deployment(name: str, builds: "Sequence[BuildOverview]", now: datetime) -> list[Finding]:
    if not any(build.has_workers or build.open_runs for build in builds):
        # An abandoned deployment, whose name Temporal remembers.
        return []
    current = next((build for build in builds if build.state == "current"), None)
    if current is None:
        return [
            _REPORT.error(
                f"deployment {name} has no current build: its workers get no new runs",
                f"signalbox-admin rollout promote {name} {builds[0].build}",
            )
        ]
    faults = [fault for build in builds if (fault := _assess_build(build, now)) is not None]
    draining = sum(build.state == "draining" for build in builds)
    older = f"; {draining} earlier builds are draining" if draining else ""
    return faults or [_REPORT.ok(f"deployment {name}: build {current.build} is current{older}")]


def _assess_build(build: "BuildOverview", now: datetime) -> Finding | None:
    where = f"build {build.build} of deployment {build.deployment}"
    if build.state in ("current", "ramping") and not build.has_workers:
        return _REPORT.error(
            f"{where} is {build.state} and has no workers: its runs wait",
            f"start workers of this build, or: signalbox-admin rollout back {build.deployment} {build.build}",
        )
    if build.pinned_runs and not build.has_workers:
        return _REPORT.error(
            f"{build.pinned_runs} open runs are pinned to {where}, which has no workers",
            "start workers of this build again, or move the runs (docs/runbooks.md#worker-version-rollout)",
        )
    if build.state == "ramping" and build.since is not None and now - build.since > _LONG_RAMP:
        return _REPORT.warning(
            f"{where} has been ramping at {build.percent:g} % for {(now - build.since).days} d",
            f"signalbox-admin rollout promote {build.deployment} {build.build}, or rollout back",
        )
    return None
