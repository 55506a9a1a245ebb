"""The values of the model survive encoding."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import msgspec
import pytest

from signalbox_autoscaler.model import (
    CapacityStep,
    Launch,
    LoadSample,
    QueueSnapshot,
    ScalingPolicy,
    SizingState,
    WorkerSeen,
)

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(ScalingPolicy(budget_per_hour=Decimal("2.50"), dry_run=True), id="policy"),
        pytest.param(
            SizingState(
                samples=(LoadSample(NOW, 4, 3, 2, 1),),
                processed={"base:1": 4},
                joined={"b-1": 2},
                launched=((NOW, 5),),
                rise=CapacityStep(began_at=NOW, changed_at=NOW, capacity=4, service_s=1.5),
            ),
            id="state",
        ),
        pytest.param(
            QueueSnapshot(
                queue="sample",
                taken_at=NOW,
                workers=(
                    WorkerSeen(identity="burst:b-1:0", slots=50, used=1, processed=7, heartbeat_at=NOW),
                ),
                launches=(
                    Launch(
                        launch_id="b-1",
                        queue="sample",
                        workers=2,
                        slots=50,
                        requested_at=NOW,
                        eta_at=NOW + timedelta(seconds=20),
                    ),
                ),
                hour_left=Decimal("0.10"),
            ),
            id="snapshot",
        ),
    ],
)
def test_a_value_survives_json(value: msgspec.Struct) -> None:
    assert msgspec.json.decode(msgspec.json.encode(value), type=type(value)) == value


def test_the_reservation_is_the_maximum_cost() -> None:
    policy = ScalingPolicy(price_per_worker_s=Decimal("0.00004"), max_lifetime_s=3_600)

    assert policy.reserve(10) == Decimal("1.44")
