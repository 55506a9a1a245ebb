"""Who has the word after Redis lost its data: the replay or the repairs."""

from datetime import UTC, datetime, timedelta

import pytest

from signalbox_gateway.background.recovery import AT_MOST, HEAD_START, Step, decide

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
MOMENT = timedelta(milliseconds=1)


@pytest.mark.parametrize(
    ("since", "is_busy", "knows_runs", "step"),
    [
        (None, False, True, Step.SEEK),
        (None, True, True, Step.SEEK),
        (None, False, False, Step.REPAIR),
        (HEAD_START - MOMENT, False, True, Step.WAIT),
        (HEAD_START, False, True, Step.REPAIR),
        (HEAD_START, True, True, Step.WAIT),
        (AT_MOST - MOMENT, True, True, Step.WAIT),
        (AT_MOST, True, True, Step.REPAIR),
    ],
)
def test_a_replay_is_asked_for_once_and_goes_before_the_repairs_for_a_while(
    since: timedelta | None, is_busy: bool, knows_runs: bool, step: Step
) -> None:
    sought_at = None if since is None else NOW - since
    assert decide(sought_at=sought_at, is_busy=is_busy, knows_runs=knows_runs, now=NOW) is step
