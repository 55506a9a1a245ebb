"""What people get wrong: each a problem that names the field and the remedy; the run's state stays intact."""

import uuid

import pytest

from signalbox_client import AsyncSignalbox
from signalbox_client.commands.prompts import variants_of
from signalbox_core.errors import Conflict, Forbidden, InvalidInput, NotFound, SignalboxError
from signalbox_core.pipeline.contract.discovery import discover
from signalbox_core.temporal import connect
from signalbox_core.temporal.names import MEMO_TENANT
from support.assertions.eventually import eventually
from support.drivers.journeys import approve, decide, ended_run, start_ads, until_asked, until_ended
from support.servers.stack import RunningStack


@pytest.mark.parametrize(
    ("given", "field"),
    [
        pytest.param({}, "input.url", id="missing"),
        pytest.param({"url": 7}, "input.url", id="wrong type"),
        pytest.param({"url": "ftp://a.example"}, "input.url", id="not a web address"),
        pytest.param({"url": "https://a.example", "variants": 99}, "input.variants", id="too many"),
        pytest.param({"url": "https://a.example", "colour": "red"}, "input.colour", id="unknown field"),
    ],
)
async def test_a_wrong_input_starts_nothing_and_names_its_field(
    client: AsyncSignalbox, given: dict[str, object], field: str
) -> None:
    run_id = f"bad-{uuid.uuid4().hex}"
    with pytest.raises(InvalidInput) as caught:
        await client.start("ad_creative", given, run_id=run_id)
    assert caught.value.field == field
    with pytest.raises(NotFound):
        await client.run(run_id)


async def test_an_unknown_pipeline_is_answered_with_the_known_ones(client: AsyncSignalbox) -> None:
    with pytest.raises(SignalboxError, match="ad_creative"):
        await client.start("nope", {})


@pytest.mark.parametrize(
    ("path", "says"),
    [
        pytest.param(
            "http://169.254.169.254/latest/meta-data/", "private|blocked|public", id="cloud metadata"
        ),
        pytest.param("http://10.0.0.1/", "private|blocked|public", id="private address"),
        pytest.param("/traps/to-private", "private|blocked|public", id="redirect to a private address"),
        pytest.param("/traps/not-html", "html|HTML|web page", id="not a page"),
        pytest.param("/no/such/page", "404", id="not there"),
        pytest.param("/traps/big", "bytes|MB|large|big", id="ten megabytes"),
        pytest.param("/traps/no-pictures", "picture|image", id="no pictures"),
    ],
)
async def test_a_page_that_cannot_be_used_fails_the_run_with_the_reason(
    stack: RunningStack, client: AsyncSignalbox, path: str, says: str
) -> None:
    url = path if path.startswith("http") else f"{stack.endpoints.demo_site}{path}"
    started = await client.start("ad_creative", {"url": url, "variants": 1})
    run = await ended_run(client, started.run_id)
    assert run.status == "failed"
    assert run.error is not None
    assert run.error.step
    with pytest.raises(AssertionError, match=says):
        raise AssertionError(run.error.message)


async def test_the_same_key_and_body_start_one_run_and_another_body_is_refused(
    stack: RunningStack, client: AsyncSignalbox
) -> None:
    page, key = {"url": f"{stack.endpoints.demo_site}/en/coffee"}, uuid.uuid4().hex
    first = await client.start("ad_creative", page, idempotency_key=key)
    again = await client.start("ad_creative", page, idempotency_key=key)
    assert again.run_id == first.run_id
    with pytest.raises(Conflict):
        await client.start("ad_creative", {**page, "variants": 2}, idempotency_key=key)
    await client.cancel(first.run_id)


async def test_an_answer_that_names_an_unknown_variant_leaves_the_question_open(
    stack: RunningStack, client: AsyncSignalbox
) -> None:
    run_id = await start_ads(stack, client, variants=1, redo_rounds=0)
    asked = await until_asked(client, run_id)
    with pytest.raises(InvalidInput, match="v99") as caught:
        await client.decide(
            run_id,
            "variants",
            {"decisions": [{"variant": "v99", "action": "approve"}]},
            digest=asked.digest,
        )
    assert caught.value.field is not None
    assert "variant" in caught.value.field
    assert (await client.approval(run_id, "variants")).status == "pending"
    await decide(client, run_id, asked, [approve])
    assert await until_ended(client, run_id) == "completed"


async def test_a_second_decision_learns_whose_the_first_was(
    stack: RunningStack, client: AsyncSignalbox
) -> None:
    run_id = await start_ads(stack, client, variants=1, redo_rounds=0)
    asked = await until_asked(client, run_id)
    await decide(client, run_id, asked, [approve])
    await ended_run(client, run_id)
    answer = {"decisions": [{"variant": variants_of(asked)[0].variant, "action": "approve"}]}
    with pytest.raises(Conflict, match="Development admin"):
        await client.decide(run_id, "variants", answer)


async def test_a_finished_run_cannot_be_cancelled(stack: RunningStack, client: AsyncSignalbox) -> None:
    started = await client.start("ad_creative", {"url": f"{stack.endpoints.demo_site}/traps/not-html"})
    assert await until_ended(client, started.run_id) == "failed"
    with pytest.raises(Conflict):
        await client.cancel(started.run_id)


async def test_the_stream_of_an_unknown_run_is_not_found(client: AsyncSignalbox) -> None:
    with pytest.raises(NotFound, match="nope"):
        await anext(client.watch("nope"))


async def test_a_viewer_may_look_and_not_start(stack: RunningStack) -> None:
    async with stack.client("viewer") as viewer:
        assert await viewer.pipelines()
        with pytest.raises(Forbidden):
            await viewer.start("ad_creative", {"url": "https://a.example"})


async def test_a_run_whose_input_no_worker_can_decode_fails_and_never_hangs(stack: RunningStack) -> None:
    temporal = await connect(str(stack.endpoints.temporal), "default")
    spec = discover()["ad_creative"]
    run_id = f"undecodable-{uuid.uuid4().hex}"
    handle = await temporal.start_workflow(
        spec.name,
        {"url": ["not", "a", "text"]},
        id=run_id,
        task_queue=spec.task_queue,
        memo={MEMO_TENANT: "demo"},
    )

    async def closed() -> bool:
        return (await handle.describe()).close_time is not None

    await eventually(closed, within_s=30)
