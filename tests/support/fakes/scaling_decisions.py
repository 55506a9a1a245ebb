"""Decision records for tests of their readers: a simulated load, shifted so that it ends now."""

import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from msgspec.structs import replace

from signalbox_autoscaler.model import ScalingDecisionRecord, ScalingPolicy
from signalbox_simulator.outcome import simulate
from signalbox_simulator.scalers.signalbox_sizing import SignalboxSizing
from signalbox_simulator.traces import ArrivalBatch, Trace, ramp, seconds


def simulated_records(queue: str, *, until: datetime | None = None) -> list[ScalingDecisionRecord]:
    """The decisions about two imports on 40 base slots.

    Args:
        until: time of the last decision; default: now.
    """
    first = replace(ramp(1, companies=20, invoices=1_000), base_slots=40)
    second = ArrivalBatch(at_s=300.0, durations_s=seconds(random.Random(2), 6_000))
    trace = Trace(name=queue, batches=(*first.batches, second), base_slots=40)
    law = SignalboxSizing(ScalingPolicy(budget_per_hour=Decimal("5.00"), max_rate_per_s=900))
    simulate(trace, law, seed=1)
    shift = (until or datetime.now(UTC)) - law.records[-1].at
    spent = Decimal(0)
    records = []
    for record in law.records:
        spent += sum((launch.reserved for launch in record.launches), Decimal(0)) / 20
        records.append(replace(record, at=record.at + shift, spent_hour=spent))
    return [replace(record, snapshot=replace(record.snapshot, taken_at=record.at)) for record in records]


def next_record(record: ScalingDecisionRecord) -> ScalingDecisionRecord:
    """The record of the next tick, otherwise equal."""
    at = record.at + timedelta(seconds=5)
    return replace(record, at=at, snapshot=replace(record.snapshot, taken_at=at))
