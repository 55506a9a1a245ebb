"""After Redis lost its data: when to seek, wait and repair."""

from datetime import UTC, datetime, timedelta

import pytest

from signalbox_gateway.background.recovery import MAX_WAIT, SEEK_GRACE, RecoveryStep, recovery_step

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
MOMENT = timedelta(milliseconds=1)


@pytest.mark.parametrize(
    ("since", "is_busy", "has_runs", "step"),
    [
        (None, False, True, RecoveryStep.SEEK),
        (None, True, True, RecoveryStep.SEEK),
        (None, False, False, RecoveryStep.REPAIR),
        (SEEK_GRACE - MOMENT, False, True, RecoveryStep.WAIT),
        (SEEK_GRACE, False, True, RecoveryStep.REPAIR),
        (SEEK_GRACE, True, True, RecoveryStep.WAIT),
        (MAX_WAIT - MOMENT, True, True, RecoveryStep.WAIT),
        (MAX_WAIT, True, True, RecoveryStep.REPAIR),
    ],
)
def test_the_subscription_is_sought_once_and_repairs_wait(
    since: timedelta | None, is_busy: bool, has_runs: bool, step: RecoveryStep
) -> None:
    sought_at = None if since is None else NOW - since
    assert recovery_step(sought_at=sought_at, is_busy=is_busy, has_runs=has_runs, now=NOW) is step
