"""Repairs of streams that differ from Temporal."""

from datetime import timedelta

import msgspec
import pytest
from msgspec.structs import replace

from signalbox_core.events import Snapshot, fold
from signalbox_core.events.snapshot import RunStatus
from signalbox_core.testing.streams import FakeRunStream
from signalbox_gateway.background.repairs import Repairs
from signalbox_gateway.background.terminal_events import GRACE, ReconcileAction, reconcile_action
from signalbox_gateway.runs.overdue import DELIVERY_TIMEOUT
from support.fakes.echo_pipeline import SPEC, EchoResult
from support.fakes.events import story
from support.fakes.known_runs import STARTED, FakeRunDirectory, closed_run

MILESTONES = [event for event in story() if event.sequence is not None]
ENDED = STARTED + timedelta(minutes=1)
LATE = ENDED + DELIVERY_TIMEOUT
SOON = ENDED + GRACE


def snapshot_after(count: int) -> Snapshot:
    snapshot = Snapshot(run_id="run-1", tenant="acme")
    for event in MILESTONES[:count]:
        snapshot = fold(snapshot, event)
    return snapshot


@pytest.mark.parametrize(
    ("status", "top", "by_workflow", "age", "action"),
    [
        pytest.param(
            "terminated", 3, None, GRACE - timedelta(seconds=1), ReconcileAction.WAIT, id="just closed"
        ),
        pytest.param("terminated", 3, None, GRACE, ReconcileAction.CLOSE, id="terminated"),
        pytest.param(
            "timed_out", 0, None, GRACE, ReconcileAction.CLOSE, id="timed out before it published anything"
        ),
        pytest.param(
            "terminated", 3, snapshot_after(3), GRACE, ReconcileAction.CLOSE, id="terminated, its state known"
        ),
        pytest.param("failed", 0, None, GRACE, ReconcileAction.CLOSE, id="its input could not be read"),
        pytest.param(
            "failed", 3, None, GRACE, ReconcileAction.WAIT, id="failed by itself, its last events on the way"
        ),
        pytest.param(
            "failed",
            3,
            None,
            DELIVERY_TIMEOUT,
            ReconcileAction.CLOSE,
            id="failed by itself, its last events lost",
        ),
        pytest.param(
            "completed",
            3,
            snapshot_after(9),
            GRACE,
            ReconcileAction.WAIT,
            id="completed while the receiver is down",
        ),
        pytest.param(
            "completed",
            3,
            snapshot_after(9),
            DELIVERY_TIMEOUT,
            ReconcileAction.REBUILD,
            id="completed and the receiver is down for long",
        ),
        pytest.param(
            "completed",
            3,
            None,
            DELIVERY_TIMEOUT,
            ReconcileAction.CLOSE,
            id="completed, and no worker responds",
        ),
    ],
)
def test_the_action_for_a_closed_run(
    status: RunStatus, top: int, by_workflow: Snapshot | None, age: timedelta, action: ReconcileAction
) -> None:
    assert (
        reconcile_action(closed_run(status), top=top, workflow_snapshot=by_workflow, now=ENDED + age)
        is action
    )


class Scene:
    def __init__(self, status: RunStatus) -> None:
        self.streams = FakeRunStream()
        self.runs = FakeRunDirectory(closed_run(status))
        self.repairs = Repairs(self.streams, self.runs, {SPEC.name: SPEC})

    async def names(self) -> list[str]:
        return [frame.name for frame in (await self.streams.read("acme:run-1", None)).frames]

    async def snapshot(self) -> Snapshot:
        projected = await self.streams.snapshot("acme:run-1")
        assert projected is not None
        return projected.snapshot


async def test_a_terminated_run_gets_its_end_after_what_it_said() -> None:
    scene = Scene("terminated")
    await scene.streams.append_many(MILESTONES[:3])
    assert await scene.repairs.close(closed_run("terminated"), SOON)
    assert (await scene.names())[3:] == ["run.terminated"]
    assert (await scene.snapshot()).status == "terminated"


async def test_closing_twice_changes_nothing() -> None:
    scene = Scene("terminated")
    await scene.streams.append_many(MILESTONES[:3])
    await scene.repairs.close(closed_run("terminated"), SOON)
    assert await scene.repairs.close(closed_run("terminated"), LATE)
    assert len(await scene.names()) == 4


async def test_a_run_whose_input_could_not_be_read_fails_with_its_reason() -> None:
    scene = Scene("failed")
    assert await scene.repairs.close(closed_run("failed"), SOON)
    snapshot = await scene.snapshot()
    assert (snapshot.status, snapshot.pipeline, snapshot.title, snapshot.tenant) == (
        "failed",
        "echo",
        "Echo",
        "acme",
    )
    assert snapshot.error is not None
    assert snapshot.error.message == "the text could not be spoken; choose another"
    assert [step.name for step in snapshot.steps] == ["speak", "listen"]


async def test_a_stream_that_is_behind_its_terminated_run_is_rebuilt_and_ended() -> None:
    scene = Scene("terminated")
    await scene.streams.append_many(MILESTONES[:2])
    scene.runs.snapshots["run-1"] = snapshot_after(5)
    assert await scene.repairs.close(closed_run("terminated"), SOON)
    snapshot = await scene.snapshot()
    assert (snapshot.status, snapshot.sequence, [item.name for item in snapshot.artifacts]) == (
        "terminated",
        6,
        ["a.png"],
    )


async def test_a_completed_run_whose_end_is_on_its_way_is_waited_for() -> None:
    scene = Scene("completed")
    scene.runs.snapshots["run-1"] = snapshot_after(9)
    assert not await scene.repairs.close(closed_run("completed"), SOON)
    assert await scene.streams.snapshot("acme:run-1") is None


async def test_a_completed_run_whose_end_never_came_is_rebuilt_from_its_workflow() -> None:
    scene = Scene("completed")
    scene.runs.snapshots["run-1"] = snapshot_after(9)
    assert await scene.repairs.close(closed_run("completed"), LATE)
    assert (await scene.snapshot()).status == "completed"


async def test_a_completed_run_that_no_worker_can_tell_of_gets_its_result_from_temporal() -> None:
    scene = Scene("completed")
    scene.runs.outcome = EchoResult(text="hi")
    await scene.streams.append_many(MILESTONES[:3])
    assert await scene.repairs.close(closed_run("completed"), LATE)
    assert (await scene.snapshot()).result == msgspec.Raw(b'{"text":"hi"}')


async def test_a_run_that_was_begun_again_is_left_to_itself() -> None:
    scene = Scene("running")
    await scene.streams.append_many(MILESTONES[:3])
    assert await scene.repairs.close(closed_run("terminated"), LATE)
    assert len(await scene.names()) == 3


async def test_a_gap_is_filled_from_the_workflow_and_the_parked_events_follow() -> None:
    scene = Scene("running")
    await scene.streams.append_many([MILESTONES[0], MILESTONES[4], MILESTONES[5]])
    scene.runs.snapshots["run-1"] = snapshot_after(5)
    (gap,) = await scene.streams.gaps(older_than=timedelta(0))
    await scene.repairs.fill(gap)
    assert (await scene.snapshot()).sequence == 6
    assert await scene.streams.gaps(older_than=timedelta(0)) == []


async def test_a_gap_that_no_worker_can_fill_stays_until_one_can() -> None:
    scene = Scene("running")
    await scene.streams.append(MILESTONES[4])
    (gap,) = await scene.streams.gaps(older_than=timedelta(0))
    await scene.repairs.fill(gap)
    assert await scene.streams.gaps(older_than=timedelta(0)) == [gap]


async def test_a_gap_of_a_run_that_does_not_exist_is_discarded() -> None:
    scene = Scene("running")
    scene.runs.infos.clear()
    await scene.streams.append(MILESTONES[4])
    (gap,) = await scene.streams.gaps(older_than=timedelta(0))
    await scene.repairs.fill(gap)
    assert await scene.streams.gaps(older_than=timedelta(0)) == []


async def test_an_open_run_gets_its_lost_stream_back() -> None:
    scene = Scene("running")
    scene.runs.snapshots["run-1"] = snapshot_after(6)
    await scene.repairs.restore(closed_run("running"))
    assert [item.approval_id for item in (await scene.streams.inbox("acme")).items] == ["ok"]
    assert (await scene.snapshot()).sequence == 6


async def test_a_stream_that_is_there_is_not_restored() -> None:
    scene = Scene("running")
    await scene.streams.append(replace(MILESTONES[0]))
    scene.runs.snapshots["run-1"] = snapshot_after(6)
    await scene.repairs.restore(closed_run("running"))
    assert (await scene.snapshot()).sequence == 1
