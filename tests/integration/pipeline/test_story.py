"""A whole run on a real Temporal server: its events, its snapshot, its progress."""

from collections.abc import Callable
from typing import Any

import msgspec
from temporalio.client import Client

from signalbox_core.events import Snapshot, catalogue, fold
from signalbox_core.testing.pipeline import pipeline_under_test
from support.assertions.eventually import eventually
from support.sample.contract import SPEC, SampleInput, SampleResult

STORY = [
    "run.started",
    "step.started",
    "step.completed",
    "step.started",
    "step.completed",
    "sample.made",
    "run.completed",
]


async def test_a_run_emits_its_events_in_order(
    client: Client, sample_activities: list[Callable[..., Any]]
) -> None:
    async with pipeline_under_test(SPEC, activities=sample_activities, client=client) as pipeline:
        run = await pipeline.start(SampleInput(items=3))

        result = await run.result()

        assert result == SampleResult(made=[0, 1, 2])
        assert run.event_names() == STORY
        assert [event.sequence for event in run.events()] == list(range(1, 8))


async def test_every_event_carries_tenant_run_and_step(
    client: Client, sample_activities: list[Callable[..., Any]]
) -> None:
    async with pipeline_under_test(SPEC, activities=sample_activities, client=client) as pipeline:
        run = await pipeline.start(SampleInput(), tenant="lotus")
        await run.result()

        assert {(event.tenantid, event.runid, event.subject) for event in run.events()} == {
            ("lotus", run.run_id, run.run_id)
        }
        assert [event.stepid for event in run.events()] == [
            None,
            "prepare",
            "prepare",
            "work",
            "work",
            None,
            None,
        ]
        started = msgspec.json.decode(run.events()[0].data, type=catalogue.RunStarted)
        assert (started.pipeline, started.started_by) == ("sample", "tester")


async def test_the_snapshot_query_answers_what_the_events_fold_into(
    client: Client, sample_activities: list[Callable[..., Any]]
) -> None:
    async with pipeline_under_test(SPEC, activities=sample_activities, client=client) as pipeline:
        run = await pipeline.start(SampleInput())
        await run.result()

        folded = Snapshot(run_id=run.run_id, tenant="acme")
        for event in run.events():
            folded = fold(folded, event)

        assert await run.snapshot() == folded
        assert folded.status == "completed"
        assert msgspec.json.decode(folded.result, type=SampleResult) == SampleResult(made=[0, 1, 2])


async def test_a_map_counts_its_own_percentage(
    client: Client, sample_activities: list[Callable[..., Any]]
) -> None:
    async with pipeline_under_test(SPEC, activities=sample_activities, client=client) as pipeline:
        run = await pipeline.start(SampleInput(items=4))
        await run.result()

        said = [
            msgspec.json.decode(event.data, type=catalogue.StepProgress)
            for event in pipeline.emitter.progress
        ]
        assert [item.percent for item in said if item.step == "work" and item.percent is not None] == [
            25.0,
            50.0,
            75.0,
            100.0,
        ]


async def test_an_activity_reports_progress(
    client: Client, sample_activities: list[Callable[..., Any]]
) -> None:
    async with pipeline_under_test(SPEC, activities=sample_activities, client=client) as pipeline:
        run = await pipeline.start(SampleInput())
        await run.result()

        said = [
            msgspec.json.decode(event.data, type=catalogue.StepProgress)
            for event in pipeline.emitter.progress
        ]
        assert catalogue.StepProgress(step="prepare", percent=100.0, message="prepared") in said


async def test_a_domain_event_of_an_activity_is_sent_once_and_compact(
    client: Client, sample_activities: list[Callable[..., Any]]
) -> None:
    async with pipeline_under_test(SPEC, activities=sample_activities, client=client) as pipeline:
        run = await pipeline.start(SampleInput(items=2))
        await run.result()

        assert sorted(bytes(event.data) for event in pipeline.emitter.domain) == [
            b'{"number":0}',
            b'{"number":1}',
        ]
        assert {event.name for event in pipeline.emitter.domain} == {"sample.made"}


async def test_an_activity_whose_domain_event_is_not_accepted_is_retried(
    client: Client, sample_activities: list[Callable[..., Any]]
) -> None:
    async with pipeline_under_test(SPEC, activities=sample_activities, client=client) as pipeline:
        pipeline.emitter.refuse_announcements = 1
        run = await pipeline.start(SampleInput(items=1))

        assert await run.result() == SampleResult(made=[0])
        assert [bytes(event.data) for event in pipeline.emitter.domain] == [b'{"number":0}']


async def test_a_run_waits_for_no_delivery_and_loses_none(
    client: Client, sample_activities: list[Callable[..., Any]]
) -> None:
    async with pipeline_under_test(SPEC, activities=sample_activities, client=client) as pipeline:
        pipeline.emitter.milestones_down = True
        run = await pipeline.start(SampleInput())

        assert await run.result() == SampleResult(made=[0, 1, 2])
        assert run.event_names() == []

        pipeline.emitter.milestones_down = False
        await eventually(lambda: run.event_names() == STORY, within_s=30)


async def test_events_ride_with_the_pipelines_activities(
    client: Client, sample_activities: list[Callable[..., Any]]
) -> None:
    async with pipeline_under_test(SPEC, activities=sample_activities, client=client) as pipeline:
        run = await pipeline.start(SampleInput(items=3))
        await run.result()
        history = await run.handle.fetch_history()

        started = [
            event.activity_task_scheduled_event_attributes.activity_type.name for event in history.events
        ]
        assert [name for name in started if name] == [
            "sample.prepare",
            "sample.make",
            "sample.make",
            "sample.make",
        ]
        markers = [event.marker_recorded_event_attributes.marker_name for event in history.events]
        # The last delivery. The start of the run states its patches, which need no marker then.
        assert [name for name in markers if name] == ["core_local_activity"]
        assert run.event_names() == STORY


async def test_a_waiting_run_flushes_its_events_without_an_activity(
    client: Client, sample_activities: list[Callable[..., Any]]
) -> None:
    async with pipeline_under_test(SPEC, activities=sample_activities, client=client) as pipeline:
        run = await pipeline.start(SampleInput(items=1, ask=True))

        await eventually(lambda: run.event_names()[-1:] == ["approval.requested"])
        await run.cancel()
