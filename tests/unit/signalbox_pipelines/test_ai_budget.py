"""The budget of a run: checked before and charged after every attempt."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from signalbox_core.chat_model.settings import ChatModelSettings, TokenPrices
from signalbox_core.errors import InvalidInput, Rejected
from signalbox_pipelines.ai_task.attempt_failure import AttemptFailure
from signalbox_pipelines.ai_task.budget import MAX_BACKOFF_S, RunBudget
from signalbox_pipelines.ai_task.call_plan import plan_call
from signalbox_pipelines.ai_task.contract import AiTaskInput
from signalbox_pipelines.ai_task.messages import AttemptUsage, CallPlan

NOW = datetime(2026, 1, 1, tzinfo=UTC)
PRICES = TokenPrices(input=Decimal(2), output=Decimal(10), currency="EUR")
PLAN = CallPlan(
    provider="model", model="m", label="language model", input_tokens=1_000, output_tokens=500, prices=PRICES
)


def task(**limits: object) -> AiTaskInput:
    return AiTaskInput(task="summarise", text="A text.", **limits)  # type: ignore[arg-type]


def failure(
    code: str = "model_cut", *, retry_after_s: float | None = None, usage: AttemptUsage | None = None
) -> AttemptFailure:
    return AttemptFailure(code=code, message="it broke", retry_after_s=retry_after_s, usage=usage)


def test_usage_and_cost_include_all_attempts() -> None:
    budget = RunBudget(task(), PLAN, NOW)
    budget.record_failure(
        "call", failure(usage=AttemptUsage(input_tokens=1_000, output_tokens=100, estimated=True)), NOW
    )
    budget.record_answer("call", AttemptUsage(input_tokens=1_000, output_tokens=300))

    usage = budget.usage
    assert (usage.input_tokens, usage.output_tokens, usage.estimated) == (2_000, 400, True)
    assert (usage.cost, usage.currency) == (Decimal("0.008"), "EUR")


def test_an_attempt_with_unknown_usage_is_charged_with_its_maximum() -> None:
    budget = RunBudget(task(), PLAN, NOW)
    budget.record_failure("call", failure("timed_out"), NOW)

    assert (budget.usage.input_tokens, budget.usage.output_tokens, budget.usage.estimated) == (
        1_000,
        500,
        True,
    )


def test_an_attempt_beyond_the_token_budget_is_refused() -> None:
    budget = RunBudget(task(max_tokens=2_000), PLAN, NOW)
    budget.check_next_attempt(NOW)
    budget.record_failure("call", failure(), NOW)

    with pytest.raises(Rejected) as refused:
        budget.check_next_attempt(NOW)
    assert (refused.value.stable_code, refused.value.field) == ("budget_used_up", "max_tokens")
    assert "1500 of 2000 are used" in refused.value.detail


def test_an_attempt_beyond_the_cost_budget_is_refused() -> None:
    budget = RunBudget(task(max_cost=Decimal("0.010")), PLAN, NOW)
    budget.check_next_attempt(NOW)
    budget.record_failure("call", failure(), NOW)

    with pytest.raises(Rejected, match=r"0\.007 of 0\.010 are used"):
        budget.check_next_attempt(NOW)


def test_a_repair_also_needs_tokens_for_the_first_answer() -> None:
    budget = RunBudget(task(max_tokens=1_600), PLAN, NOW)

    with pytest.raises(Rejected, match="may need 1700 tokens"):
        budget.check_next_attempt(NOW, extra_input_tokens=200)


def test_no_attempt_starts_after_the_deadline() -> None:
    budget = RunBudget(task(deadline_s=60), PLAN, NOW)

    with pytest.raises(Rejected) as refused:
        budget.check_next_attempt(NOW + timedelta(seconds=60))
    assert refused.value.stable_code == "deadline_passed"


def test_backoff_doubles_up_to_a_maximum_unless_the_server_requests_a_delay() -> None:
    budget = RunBudget(task(max_attempts=10, max_tokens=1_000_000), PLAN, NOW)

    delays = [budget.record_failure("call", failure(), NOW) for _ in range(6)]
    assert delays == [1, 2, 4, 8, 16, MAX_BACKOFF_S]
    assert budget.record_failure("call", failure("rate_limited", retry_after_s=7.0), NOW) == 7.0
    assert [attempt.waited_s for attempt in budget.attempts] == [0, *delays]


def test_a_delay_beyond_the_deadline_fails_at_once() -> None:
    budget = RunBudget(task(deadline_s=60), PLAN, NOW)

    with pytest.raises(Rejected, match=r"in 90 s, but the deadline is in 60 s"):
        budget.record_failure("call", failure("rate_limited", retry_after_s=90.0), NOW)


def test_the_error_of_the_last_attempt_is_reported() -> None:
    budget = RunBudget(task(max_attempts=1), PLAN, NOW)

    with pytest.raises(Rejected, match="attempt 1 of 1 failed: it broke") as refused:
        budget.record_failure("call", failure(), NOW)
    assert refused.value.stable_code == "model_cut"


def test_a_repair_counts_as_an_attempt() -> None:
    budget = RunBudget(task(max_attempts=1), PLAN, NOW)
    budget.record_answer("call", AttemptUsage())

    with pytest.raises(Rejected, match="raise max_attempts"):
        budget.check_next_attempt(NOW)


@pytest.mark.parametrize(
    ("limits", "prices", "field"),
    [
        pytest.param({"max_tokens": 100}, None, "max_tokens", id="tokens"),
        pytest.param({"max_cost": Decimal(1)}, None, "max_cost", id="no prices"),
        pytest.param({"max_cost": Decimal("0.000001")}, PRICES, "max_cost", id="cost"),
    ],
)
def test_a_budget_too_small_for_one_call_is_refused(
    limits: dict[str, object], prices: TokenPrices | None, field: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        plan_call(task(**limits), ChatModelSettings(url="http://m/v1", name="m", prices=prices))

    assert refused.value.field == field


def test_the_plan_overestimates_the_tokens() -> None:
    plan = plan_call(task(), ChatModelSettings(url="http://m/v1", name="m"))

    assert plan.input_tokens > len("A text.") / 3
    assert plan.output_tokens == 1_000
