"""Recorded histories replay on the current code, so no change leaves running workflows nondeterministic."""

from collections.abc import Mapping
from pathlib import Path

import pytest
from temporalio.workflow import NondeterminismError

from signalbox_core.pipeline import PipelineSpec, discover
from signalbox_core.testing.histories import parse_history, read_history
from signalbox_core.testing.pipeline import replay
from support.calls.contract import PURCHASE
from support.fakes.carry_pipeline import SPEC as CARRY
from support.fakes.ladder_pipeline import SPEC as LADDER
from support.limits.contract import SPEC as LIMITS
from support.sample.contract import SPEC as SAMPLE
from support.shipping.contract import SPEC as SHIPPING

HISTORIES = Path(__file__).parents[2] / "histories"
FILES = sorted(HISTORIES.glob("*/*.json"))


def known() -> Mapping[str, PipelineSpec]:
    others = (SAMPLE, PURCHASE, LIMITS, LADDER, SHIPPING, CARRY)
    return {**discover(), **{spec.name: spec for spec in others}}


@pytest.mark.parametrize("file", FILES, ids=lambda file: f"{file.parent.name}-{file.stem}")
async def test_a_recorded_run_replays(file: Path) -> None:
    await replay(known()[file.parent.name], read_history(file))


@pytest.mark.parametrize("name", sorted(discover()))
def test_every_pipeline_has_a_recorded_run(name: str) -> None:
    assert [file for file in FILES if file.parent.name == name], (
        f"record one: python tools/record_history.py {name} RUN_ID --tenant TENANT"
    )


async def test_a_nondeterministic_change_is_detected() -> None:
    file = HISTORIES / "sample" / "plain.json"
    changed = file.read_text(encoding="utf-8").replace('"sample.prepare"', '"sample.prepare_otherwise"')

    with pytest.raises(NondeterminismError):
        await replay(SAMPLE, parse_history(changed))
