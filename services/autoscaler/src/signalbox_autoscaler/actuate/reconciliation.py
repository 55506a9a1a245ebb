"""What the provider's list, and the workers that beat, make of the launches in the book. Pure.

A launch whose request was cut off is adopted when the list shows it, and given up when it does not; it is never asked for again.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from signalbox_autoscaler.model import Launch, LaunchState
from signalbox_autoscaler.providers.provider import ENDS, Execution, ExecutionState

ASKING: Final = timedelta(seconds=20)
"""The longest that a request to a provider is under way; it may be taken at its end."""


class Change(Struct, frozen=True, kw_only=True):
    """What becomes of one launch.

    Attributes:
        launch: as it is from now on.
        ended_after_s: close it; its workers lasted so long. None: it goes on.
        cancel: the provider's name of what must be ended: it was given up, and came after all.
    """

    launch: Launch
    ended_after_s: float | None = None
    cancel: str | None = None


def reconcile(
    launches: Iterable[Launch],
    listed: Mapping[str, Execution] | None,
    *,
    beating: frozenset[str],
    asked: frozenset[str],
    settles_s: float,
    now: datetime,
) -> list[Change]:
    """The changes, in the order of `launches`; a launch that stays as it is gives none.

    Args:
        listed: executions by launch id; None: the provider does not answer, and only beating workers tell something.
        beating: launches of which a worker beats.
        asked: launches whose request by this process is under way: not missing yet.
        settles_s: after which a launch that was taken is listed.
    """
    changes: list[Change] = []
    for launch in launches:
        is_late = now - launch.requested_at > ASKING + timedelta(seconds=settles_s)
        missing = listed is not None and is_late and launch.launch_id not in asked
        found = None if listed is None else listed.get(launch.launch_id)
        change = _change(launch, found, beats=launch.launch_id in beating, missing=missing, now=now)
        if change.launch != launch or change.ended_after_s is not None or change.cancel is not None:
            changes.append(change)
    return changes


def _change(launch: Launch, found: Execution | None, *, beats: bool, missing: bool, now: datetime) -> Change:
    if found is None:
        return _unlisted(launch, beats=beats, missing=missing, now=now)
    launch = replace(launch, handle=found.handle)
    if found.state in ENDS:
        return Change(launch=replace(launch, state=_end(launch, found.state)), ended_after_s=found.lasted_s)
    if launch.state is LaunchState.CANCELLED:
        return Change(launch=launch, cancel=found.handle)
    runs = beats or launch.state is LaunchState.RUNNING
    return Change(launch=replace(launch, state=LaunchState.RUNNING if runs else LaunchState.REQUESTED))


def _unlisted(launch: Launch, *, beats: bool, missing: bool, now: datetime) -> Change:
    """Not in the list: not yet, no longer, or never."""
    if beats and launch.state in (LaunchState.INTENDED, LaunchState.REQUESTED):
        return Change(launch=replace(launch, state=LaunchState.RUNNING))
    if not missing or beats:
        return Change(launch=launch)
    if launch.state is LaunchState.INTENDED:
        failed = replace(launch, state=LaunchState.FAILED, error=launch.error or "the provider never took it")
        return Change(launch=failed, ended_after_s=0.0)
    lasted_s = 0.0 if launch.handle is None else (now - launch.requested_at).total_seconds()
    state = launch.state if launch.state is LaunchState.CANCELLED else LaunchState.ENDED
    return Change(launch=replace(launch, state=state), ended_after_s=lasted_s)


def _end(launch: Launch, state: ExecutionState) -> LaunchState:
    """An execution whose workers all failed before any of them beat is a failed launch: its image or settings are wrong."""
    if launch.state is LaunchState.CANCELLED or state is ExecutionState.CANCELLED:
        return LaunchState.CANCELLED
    return (
        LaunchState.FAILED
        if state is ExecutionState.FAILED and launch.state is not LaunchState.RUNNING
        else LaunchState.ENDED
    )
