"""Recorded histories replay on the current code, so no change leaves running workflows nondeterministic."""

import re
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


async def test_a_question_keeps_the_digest_with_which_an_earlier_release_asked_it() -> None:
    """A worker of the release before asked; one of this release decided, with the digest as it was asked."""
    history = read_history(HISTORIES / "sample" / "asked_by_earlier_release.json")
    (decided,) = (
        event.workflow_execution_update_accepted_event_attributes.accepted_request.input.args.payloads[0].data
        for event in history.events
        if event.HasField("workflow_execution_update_accepted_event_attributes")
    )
    recorded = b"".join(
        payload.data
        for event in history.events
        if event.HasField("activity_task_completed_event_attributes")
        for payload in event.activity_task_completed_event_attributes.result.payloads
    )
    digest = re.search(rb'"digest":"([0-9a-f]{64})"', decided)
    assert digest is not None
    assert digest[0] in recorded
    await replay(SAMPLE, history)
