"""Reconciles the launches in the ledger with the provider's list and the workers' heartbeats. Pure.

A launch whose request was cut off is adopted when the provider lists it and closed when it does not. It is
never requested again. Executions that the ledger does not contain: `unknown_launches`.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from signalbox_autoscaler.model import Launch, LaunchState
from signalbox_autoscaler.providers.provider import ENDS, Execution, ExecutionState

REQUEST_TIMEOUT: Final = timedelta(seconds=20)
"""The longest duration of a request to a provider, which may be accepted as late as that."""


class LaunchChange(Struct, frozen=True, kw_only=True):
    """What to write about one launch.

    Attributes:
        launch: its new value.
        ended_after_s: settle it; its workers ran for this long. None: it stays open.
        cancel: handle of an execution to cancel, because it appeared after its launch had been cancelled.
    """

    launch: Launch
    ended_after_s: float | None = None
    cancel: str | None = None


def reconcile(
    launches: Iterable[Launch],
    listed: Mapping[str, Execution] | None,
    *,
    alive: frozenset[str],
    pending: frozenset[str],
    listing_delay_s: float,
    now: datetime,
) -> list[LaunchChange]:
    """Compute the changes, in the order of `launches`. A launch that stays as it is yields none.

    Args:
        listed: executions by launch id; None: the provider is unavailable, and only heartbeats count.
        alive: launches with at least one worker that sends heartbeats.
        pending: launches whose request by this process has no answer yet; they cannot be missing.
        listing_delay_s: after how long the provider lists every launch it accepted.
    """
    changes: list[LaunchChange] = []
    for launch in launches:
        is_late = now - launch.requested_at > REQUEST_TIMEOUT + timedelta(seconds=listing_delay_s)
        missing = listed is not None and is_late and launch.launch_id not in pending
        found = None if listed is None else listed.get(launch.launch_id)
        change = _change(launch, found, alive=launch.launch_id in alive, missing=missing, now=now)
        if change.launch != launch or change.ended_after_s is not None or change.cancel is not None:
            changes.append(change)
    return changes


def _change(
    launch: Launch, found: Execution | None, *, alive: bool, missing: bool, now: datetime
) -> LaunchChange:
    if found is None:
        return _change_unlisted(launch, alive=alive, missing=missing, now=now)
    launch = replace(launch, handle=found.handle)
    if found.state in ENDS:
        ended = replace(launch, state=_final_state(launch, found.state))
        return LaunchChange(launch=ended, ended_after_s=found.lasted_s)
    if launch.state is LaunchState.CANCELLED:
        return LaunchChange(launch=launch, cancel=found.handle)
    runs = alive or launch.state is LaunchState.RUNNING
    return LaunchChange(launch=replace(launch, state=LaunchState.RUNNING if runs else LaunchState.REQUESTED))


def _change_unlisted(launch: Launch, *, alive: bool, missing: bool, now: datetime) -> LaunchChange:
    """The provider does not list it: not yet, no longer, or it never accepted it."""
    if alive and launch.state in (LaunchState.INTENDED, LaunchState.REQUESTED):
        return LaunchChange(launch=replace(launch, state=LaunchState.RUNNING))
    if not missing or alive:
        return LaunchChange(launch=launch)
    if launch.state is LaunchState.INTENDED:
        error = launch.error or "the provider never accepted it"
        return LaunchChange(launch=replace(launch, state=LaunchState.FAILED, error=error), ended_after_s=0.0)
    lasted_s = 0.0 if launch.handle is None else (now - launch.requested_at).total_seconds()
    state = launch.state if launch.state is LaunchState.CANCELLED else LaunchState.ENDED
    return LaunchChange(launch=replace(launch, state=state), ended_after_s=lasted_s)


def _final_state(launch: Launch, state: ExecutionState) -> LaunchState:
    """An execution that failed before the first heartbeat is a failed launch: its image or settings are
    wrong."""
    if launch.state is LaunchState.CANCELLED or state is ExecutionState.CANCELLED:
        return LaunchState.CANCELLED
    if state is ExecutionState.FAILED and launch.state is not LaunchState.RUNNING:
        return LaunchState.FAILED
    return LaunchState.ENDED
