"""The budget of a run: checked before every attempt, charged after each, and what nobody counted counts in full."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from signalbox_core.chat_model.settings import ModelSettings, Prices
from signalbox_core.errors import InvalidInput, Rejected
from signalbox_pipelines.ai_task.budget import LONGEST_WAIT_S, Ledger, Miss
from signalbox_pipelines.ai_task.contract import AiTaskInput
from signalbox_pipelines.ai_task.messages import Plan, Spent
from signalbox_pipelines.ai_task.plan import plan_for

NOW = datetime(2026, 1, 1, tzinfo=UTC)
PRICES = Prices(input=Decimal(2), output=Decimal(10), currency="EUR")
PLAN = Plan(
    provider="model", model="m", label="language model", input_tokens=1_000, output_tokens=500, prices=PRICES
)


def task(**limits: object) -> AiTaskInput:
    return AiTaskInput(task="summarise", text="A text.", **limits)  # type: ignore[arg-type]


def miss(code: str = "model_cut", *, retry_after_s: float | None = None, spent: Spent | None = None) -> Miss:
    return Miss(code=code, message="it broke", retry_after_s=retry_after_s, spent=spent)


def test_usage_and_cost_are_of_all_attempts() -> None:
    ledger = Ledger(task(), PLAN, NOW)
    ledger.missed("call", miss(spent=Spent(input_tokens=1_000, output_tokens=100, estimated=True)), NOW)
    ledger.answered("call", Spent(input_tokens=1_000, output_tokens=300))

    usage = ledger.usage
    assert (usage.input_tokens, usage.output_tokens, usage.estimated) == (2_000, 400, True)
    assert (usage.cost, usage.currency) == (Decimal("0.008"), "EUR")


def test_an_attempt_of_which_nothing_is_known_counts_in_full() -> None:
    ledger = Ledger(task(), PLAN, NOW)
    ledger.missed("call", miss("timed_out"), NOW)

    assert (ledger.usage.input_tokens, ledger.usage.output_tokens, ledger.usage.estimated) == (
        1_000,
        500,
        True,
    )


def test_an_attempt_that_the_tokens_cannot_pay_does_not_start() -> None:
    ledger = Ledger(task(max_tokens=2_000), PLAN, NOW)
    ledger.check(NOW)
    ledger.missed("call", miss(), NOW)

    with pytest.raises(Rejected) as refused:
        ledger.check(NOW)
    assert (refused.value.stable_code, refused.value.field) == ("budget_used_up", "max_tokens")
    assert "1500 of 2000 are used" in refused.value.detail


def test_an_attempt_that_the_money_cannot_pay_does_not_start() -> None:
    ledger = Ledger(task(max_cost=Decimal("0.010")), PLAN, NOW)
    ledger.check(NOW)
    ledger.missed("call", miss(), NOW)

    with pytest.raises(Rejected, match=r"0\.007 of 0\.010 are used"):
        ledger.check(NOW)


def test_a_repair_needs_what_the_first_answer_adds() -> None:
    ledger = Ledger(task(max_tokens=1_600), PLAN, NOW)

    with pytest.raises(Rejected, match="may need 1700 tokens"):
        ledger.check(NOW, more_tokens=200)


def test_nothing_starts_after_the_deadline() -> None:
    ledger = Ledger(task(deadline_s=60), PLAN, NOW)

    with pytest.raises(Rejected) as refused:
        ledger.check(NOW + timedelta(seconds=60))
    assert refused.value.stable_code == "deadline_passed"


def test_waits_double_up_to_a_limit_unless_the_server_says_how_long() -> None:
    ledger = Ledger(task(max_attempts=10, max_tokens=1_000_000), PLAN, NOW)

    waits = [ledger.missed("call", miss(), NOW) for _ in range(6)]
    assert waits == [1, 2, 4, 8, 16, LONGEST_WAIT_S]
    assert ledger.missed("call", miss("rate_limited", retry_after_s=7.0), NOW) == 7.0
    assert [attempt.waited_s for attempt in ledger.attempts] == [0, *waits]


def test_a_wait_beyond_the_deadline_is_not_begun() -> None:
    ledger = Ledger(task(deadline_s=60), PLAN, NOW)

    with pytest.raises(Rejected, match=r"in 90 s, the deadline is in 60 s"):
        ledger.missed("call", miss("rate_limited", retry_after_s=90.0), NOW)


def test_the_last_attempt_names_its_failure() -> None:
    ledger = Ledger(task(max_attempts=1), PLAN, NOW)

    with pytest.raises(Rejected, match="attempt 1 of 1 failed: it broke") as refused:
        ledger.missed("call", miss(), NOW)
    assert refused.value.stable_code == "model_cut"


def test_a_repair_too_is_an_attempt() -> None:
    ledger = Ledger(task(max_attempts=1), PLAN, NOW)
    ledger.answered("call", Spent())

    with pytest.raises(Rejected, match="raise max_attempts"):
        ledger.check(NOW)


@pytest.mark.parametrize(
    ("limits", "prices", "field"),
    [
        pytest.param({"max_tokens": 100}, None, "max_tokens", id="tokens"),
        pytest.param({"max_cost": Decimal(1)}, None, "max_cost", id="no prices"),
        pytest.param({"max_cost": Decimal("0.000001")}, PRICES, "max_cost", id="cost"),
    ],
)
def test_a_budget_below_one_call_is_refused_at_the_start(
    limits: dict[str, object], prices: Prices | None, field: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        plan_for(task(**limits), ModelSettings(url="http://m/v1", name="m", prices=prices))

    assert refused.value.field == field


def test_the_plan_is_on_the_safe_side() -> None:
    plan = plan_for(task(), ModelSettings(url="http://m/v1", name="m"))

    assert plan.input_tokens > len("A text.") / 3
    assert plan.output_tokens == 1_000
