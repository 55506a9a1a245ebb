"""Whole imports on a real Temporal server and a real Redis against the portal simulator."""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import count

import msgspec
import pytest
from temporalio import activity
from temporalio.client import WorkflowFailureError

from signalbox_core.errors import Unavailable
from signalbox_core.redis.client import open_redis
from signalbox_core.scaling.hints import Hints
from signalbox_core.testing.objects import FakeObjectStore
from signalbox_core.testing.pipeline import RunUnderTest, pipeline_under_test
from signalbox_devstack.emulators.portal.companies import companies
from signalbox_devstack.emulators.portal.ground_truth import GroundTruth
from signalbox_pipelines.invoice_import.auth.questions import CaptchaAnswer, TroubleDecision
from signalbox_pipelines.invoice_import.contract import SPEC
from signalbox_pipelines.invoice_import.messages import SignInOutcome, SignInRequest
from signalbox_pipelines.invoice_import.results import ImportResult, ImportTable
from support.assertions.eventually import eventually
from support.fakes.portal_imports import SECRET, SOLVER, an_import, import_activities, read_picture
from support.servers.portal import Portal, running_portal

CODES = iter(companies(60)[number] for number in count(30))
ONE_LIST: Mapping[str, object] = {"directions": ("sold",), "last_day": date(2026, 7, 10)}


async def failure_of(run: RunUnderTest) -> tuple[str, str | None]:
    with pytest.raises(WorkflowFailureError):
        await run.result()
    error = (await run.snapshot()).error
    assert error is not None
    return error.code, error.step


def check_truth(result: ImportResult, truth: GroundTruth) -> None:
    """Every row, every original that there is, and every sum to the đồng."""
    assert (result.status, result.rows, result.details) == ("complete", len(truth.rows), len(truth.rows))
    assert result.no_original == sum(not row.has_original for row in truth.rows)
    assert result.xml == sum(row.has_original for row in truth.rows)
    assert result.mismatches == sum(bool(row.differs) and row.has_original for row in truth.rows)
    for found in result.totals:
        theirs = [total for total in truth.totals if total.direction == found.direction]
        assert (found.counted, found.net, found.tax, found.gross) == (
            sum(total.invoices for total in theirs),
            Decimal(sum(total.amount for total in theirs)),
            Decimal(sum(total.tax for total in theirs)),
            Decimal(sum(total.total for total in theirs)),
        )
    sums = {
        (total.direction, rate.rate): [Decimal(0), Decimal(0)]
        for total in truth.totals
        for rate in total.rates
    }
    for total in truth.totals:
        for rate in total.rates:
            sums[total.direction, rate.rate][0] += rate.amount
            sums[total.direction, rate.rate][1] += rate.tax
    assert {(found.direction, found.rate): [found.net, found.tax] for found in result.rates} == sums


async def test_an_import_matches_the_data_of_the_portal(portal: Portal, redis_url: str) -> None:
    mst, objects = next(CODES), FakeObjectStore()
    async with (
        import_activities(portal, redis_url, mst, objects=objects, **SOLVER) as work,
        pipeline_under_test(SPEC, activities=work) as pipeline,
    ):
        run = await pipeline.start(an_import(mst, last_day=date(2026, 8, 31)))
        result: ImportResult = await run.result()
        snapshot = await run.snapshot()

    truth = portal.truth(mst, "2026-07-01", "2026-08-31")
    check_truth(result, truth)
    assert {key for key in objects.bodies if key.endswith(".xml")} == {
        f"gdt/acme/{mst}/{row.key}.xml" for row in truth.rows if row.has_original
    }
    assert {artifact.name for artifact in snapshot.artifacts} == {
        "table.json", "invoices.csv", "failed.csv", "mismatches.csv", "months.png", "report.json",
    }  # fmt: skip
    table = msgspec.json.decode(
        objects.bodies[f"gdt/acme/{mst}/runs/{run.run_id}/tables/00007.json"], type=ImportTable
    )
    assert sorted((line.month, line.direction) for line in table.months) == sorted(
        (line.month, line.direction) for line in result.months
    )
    assert run.event_names()[-3:] == ["import.completed", "step.completed", "run.completed"]
    told = [msgspec.json.decode(event.data) for event in pipeline.emitter.domain]
    assert sorted(item["key"] for event in told for item in event["invoices"]) == sorted(
        row.key for row in truth.rows
    )
    stats = portal.stats(mst)
    assert stats["repeated"] == 0


async def test_a_reduced_page_size_survives_the_end_of_the_activity(
    redis_url: str,
) -> None:
    """At this pace every cut makes the next call wait for longer than an activity does."""
    mst = companies(1)[0]
    with running_portal("--invoices", "300") as portal:
        portal.put_faults({"kind": "cut", "on": ["list"], "over_bytes": 56_000}, mst=mst)
        async with (
            import_activities(portal, redis_url, mst, **SOLVER, QUERY_SPACING_MS="550") as work,
            pipeline_under_test(SPEC, activities=work) as pipeline,
        ):
            given = {
                "last_day": date(2026, 7, 16),
                "directions": ("purchase",),
                "details": False,
                "originals": False,
            }
            result: ImportResult = await (await pipeline.start(an_import(mst, **given))).result()

        truth = portal.truth(mst, "2026-07-01", "2026-07-16")
        assert result.rows == sum(row.direction == "purchase" for row in truth.rows)
        assert portal.stats(mst)["faults"] == {"cut": 2}  # 50 and 25 were too large; 15 is where it stays


async def test_a_second_import_requests_only_the_lists(portal: Portal, redis_url: str) -> None:
    mst = next(CODES)
    async with (
        import_activities(portal, redis_url, mst, **SOLVER) as work,
        pipeline_under_test(SPEC, activities=work) as pipeline,
    ):
        first = await (await pipeline.start(an_import(mst, **ONE_LIST))).result()
        before = portal.stats(mst)["lanes"]
        second = await (await pipeline.start(an_import(mst, **ONE_LIST))).result()
        after = portal.stats(mst)["lanes"]

    assert (second.rows, second.xml, second.totals) == (first.rows, first.xml, first.totals)
    assert after["detail"]["calls"] == before["detail"]["calls"]
    assert after["xml"]["calls"] == before["xml"]["calls"] + first.no_original


async def test_a_wrong_captcha_answer_is_asked_again_with_a_new_captcha(
    portal: Portal, redis_url: str
) -> None:
    mst = next(CODES)
    async with (
        import_activities(portal, redis_url, mst) as work,
        pipeline_under_test(SPEC, activities=work) as pipeline,
    ):
        run = await pipeline.start(an_import(mst, **ONE_LIST))
        await run.decide("captcha", CaptchaAnswer(text="AAAAAA"))
        asked = await run.approval("captcha-2")
        evidence = msgspec.json.decode(asked.evidence)
        await run.decide("captcha-2", CaptchaAnswer(text=read_picture(evidence["picture"]).lower()))
        result: ImportResult = await run.result()

    assert evidence["tries_left"] == 2
    assert result.sign_ins == 1
    check_truth(result, truth_of_one_list(portal, mst))


def truth_of_one_list(portal: Portal, mst: str) -> GroundTruth:
    whole = portal.truth(mst, "2026-07-01", "2026-07-10")
    rows = tuple(row for row in whole.rows if row.direction == "sold")
    return GroundTruth(
        mst=mst, rows=rows, totals=tuple(total for total in whole.totals if total.direction == "sold")
    )


async def test_a_wrong_password_asks_a_person_who_may_give_up(portal: Portal, redis_url: str) -> None:
    mst, other = next(CODES), next(CODES)
    async with (
        import_activities(portal, redis_url, other, **SOLVER) as work,
        pipeline_under_test(SPEC, activities=work) as pipeline,
    ):
        run = await pipeline.start(an_import(mst, **ONE_LIST))
        evidence = msgspec.json.decode((await run.approval("trouble")).evidence)
        await run.decide("trouble", TroubleDecision(action="give_up"))

        assert evidence["code"] == "wrong_password"
        assert await failure_of(run) == ("wrong_password", "sign_in")


async def test_an_expired_session_asks_again_and_continues_where_it_stopped(
    portal: Portal, redis_url: str
) -> None:
    mst = next(CODES)
    portal.put_faults(
        {"kind": "expire", "on": ["list"], "after": 1, "times": 1},
        {"kind": "expire", "on": ["xml"], "after": 4, "times": 1},
        mst=mst,
    )
    async with (
        import_activities(portal, redis_url, mst, PAGE_SIZE="5", **SOLVER) as work,
        pipeline_under_test(SPEC, activities=work) as pipeline,
    ):
        run = await pipeline.start(an_import(mst, directions=("sold",)))
        result: ImportResult = await run.result()
        snapshot = await run.snapshot()

    assert result.sign_ins == 3
    assert result.status == "complete"
    assert next(step.attempt for step in snapshot.steps if step.name == "sign_in") == 3
    assert portal.stats(mst)["repeated"] <= 4


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        pytest.param({"kind": "drift", "on": ["xml"]}, "contract_drift", id="drift"),
        pytest.param({"kind": "mismatch", "on": ["list"]}, "tenant_mismatch", id="mismatch"),
        pytest.param({"kind": "fast_500", "on": ["list"]}, "portal_refused", id="fast 500"),
    ],
)
async def test_a_final_fault_fails_the_run_with_its_code(
    portal: Portal, redis_url: str, fault: Mapping[str, object], code: str
) -> None:
    mst = next(CODES)
    portal.put_faults(fault, mst=mst)
    async with (
        import_activities(portal, redis_url, mst, **SOLVER) as work,
        pipeline_under_test(SPEC, activities=work) as pipeline,
    ):
        run = await pipeline.start(an_import(mst, **ONE_LIST))

        assert (await failure_of(run))[0] == code


async def test_a_blocked_import_asks_a_person_and_continues(portal: Portal, redis_url: str) -> None:
    mst = next(CODES)
    portal.put_faults({"kind": "waf", "on": ["detail"], "times": 1}, mst=mst)
    async with (
        import_activities(portal, redis_url, mst, **SOLVER) as work,
        pipeline_under_test(SPEC, activities=work) as pipeline,
    ):
        run = await pipeline.start(an_import(mst, **ONE_LIST))
        evidence = msgspec.json.decode((await run.approval("trouble")).evidence)
        await run.decide("trouble", TroubleDecision(action="again"))
        result: ImportResult = await run.result()

    assert evidence["code"] == "portal_blocked"
    check_truth(result, truth_of_one_list(portal, mst))


async def test_only_one_import_per_taxpayer_runs_at_a_time(portal: Portal, redis_url: str) -> None:
    mst = next(CODES)
    async with (
        import_activities(portal, redis_url, mst) as work,
        pipeline_under_test(SPEC, activities=work) as pipeline,
    ):
        first = await pipeline.start(an_import(mst, **ONE_LIST))
        await first.approval("captcha")
        second = await pipeline.start(an_import(mst, **ONE_LIST))
        assert await failure_of(second) == ("import_running", None)

        await first.handle.terminate("the server ends it without its code")
        third = await pipeline.start(an_import(mst, **ONE_LIST))
        await third.approval("captcha")
        await third.cancel("enough")
        with pytest.raises(WorkflowFailureError):
            await third.result()

        fourth = await pipeline.start(an_import(mst, **ONE_LIST))
        await fourth.approval("captcha")
        await fourth.cancel()


async def test_a_missing_secret_fails_before_a_captcha_is_asked(portal: Portal, redis_url: str) -> None:
    mst = next(CODES)
    async with (
        import_activities(portal, redis_url, mst) as work,
        pipeline_under_test(SPEC, activities=work) as pipeline,
    ):
        run = await pipeline.start(an_import(mst, secret_ref="other", **ONE_LIST))

        assert await failure_of(run) == ("unknown_secret", "sign_in")


async def test_neither_password_nor_token_is_in_the_history(portal: Portal, redis_url: str) -> None:
    mst = next(CODES)
    async with (
        import_activities(portal, redis_url, mst, **SOLVER) as work,
        pipeline_under_test(SPEC, activities=work) as pipeline,
    ):
        run = await pipeline.start(an_import(mst, **ONE_LIST))
        await run.result()
        history = await pipeline.client.get_workflow_handle(run.handle.id).fetch_history()

    told = "".join(str(event) for event in history.events)
    assert SECRET in told
    assert f"sim-{mst}" not in told
    assert "eyJ" not in told


async def test_a_paused_import_does_not_call_the_portal_until_resumed(portal: Portal, redis_url: str) -> None:
    mst = next(CODES)
    async with (
        import_activities(portal, redis_url, mst) as work,
        pipeline_under_test(SPEC, activities=work) as pipeline,
    ):
        run = await pipeline.start(an_import(mst, **ONE_LIST))
        picture = msgspec.json.decode((await run.approval("captcha")).evidence)["picture"]
        await run.pause()
        await run.decide("captcha", CaptchaAnswer(text=read_picture(picture)))
        await eventually(lambda: "step.completed" in run.event_names())
        assert "list" not in portal.stats(mst).get("lanes", {})

        await run.resume()
        result: ImportResult = await run.result()

    check_truth(result, truth_of_one_list(portal, mst))


async def test_the_scaling_hint_is_published_during_a_run_and_withdrawn_at_its_end(
    portal: Portal, redis_url: str
) -> None:
    mst, redis = next(CODES), open_redis(redis_url)
    portal.put_faults({"kind": "expire", "on": ["xml"], "after": 4, "times": 1}, mst=mst)
    async with (
        import_activities(portal, redis_url, mst) as work,
        pipeline_under_test(SPEC, activities=work) as pipeline,
    ):
        run = await pipeline.start(an_import(mst, directions=("sold",)))
        for asked in ("captcha", "captcha-2"):
            evidence = msgspec.json.decode((await run.approval(asked, within_s=30)).evidence)
            if asked == "captcha-2":
                hint = (await Hints(redis).read([pipeline.task_queue], datetime.now(UTC)))[
                    pipeline.task_queue
                ][run.handle.id]
            await run.decide(asked, CaptchaAnswer(text=read_picture(evidence["picture"])))
        await run.result()
        left = await Hints(redis).read([pipeline.task_queue], datetime.now(UTC))
    await redis.aclose()

    assert hint.remaining > 0
    assert evidence["why"] == "the session ended; the import goes on where it was"
    assert left == {pipeline.task_queue: {}}


async def test_a_lost_sign_in_attempt_is_repeated_with_a_new_captcha(portal: Portal, redis_url: str) -> None:
    mst, tries = next(CODES), []
    async with import_activities(portal, redis_url, mst, **SOLVER) as work:
        real = next(item for item in work if item.__name__ == "sign_in")

        @activity.defn(name="invoice_import.sign_in")
        async def lost_once(request: SignInRequest) -> SignInOutcome:
            tries.append(request.captcha_key)
            if len(tries) == 1:
                raise Unavailable("gone")
            return await real(request)

        others = [item for item in work if item is not real]
        async with pipeline_under_test(SPEC, activities=[*others, lost_once]) as pipeline:
            result: ImportResult = await (await pipeline.start(an_import(mst, **ONE_LIST))).result()

    assert len(set(tries)) == 2
    check_truth(result, truth_of_one_list(portal, mst))
