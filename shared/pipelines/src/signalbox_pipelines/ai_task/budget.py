"""The budget of a run (tokens, cost, attempts, deadline) and the backoff between attempts.

Part of the workflow state. Pure: the workflow passes the current time.
"""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from signalbox_core.chat_model.settings import TokenPrices
from signalbox_core.errors import Rejected
from signalbox_pipelines.ai_task.attempt_failure import AttemptFailure
from signalbox_pipelines.ai_task.contract import LOCAL_PROVIDER, AiTaskInput, AttemptRecord, TaskUsage
from signalbox_pipelines.ai_task.messages import AttemptKind, AttemptUsage, CallPlan

INITIAL_BACKOFF_S: Final = 1.0
MAX_BACKOFF_S: Final = 20.0
_MILLION: Final = Decimal(1_000_000)


class RunBudget:
    """Checks the limits before each attempt and records what each attempt used.

    Mutable; owned by one workflow.
    """

    def __init__(self, task: AiTaskInput, plan: CallPlan, now: datetime) -> None:
        self._task = task
        self._plan = plan
        self.deadline_at = now + timedelta(seconds=task.deadline_s)
        self.attempts: list[AttemptRecord] = []
        self._is_estimated = False
        self._delay_s = 0.0

    @property
    def next_number(self) -> int:
        return len(self.attempts) + 1

    @property
    def usage(self) -> TaskUsage:
        """Tokens and cost of all attempts so far."""
        input_tokens = sum(attempt.input_tokens for attempt in self.attempts)
        output_tokens = sum(attempt.output_tokens for attempt in self.attempts)
        prices = self._plan.prices
        cost: Decimal | None = None
        if prices is not None:
            cost = cost_of(prices, input_tokens, output_tokens)
        elif self._plan.provider == LOCAL_PROVIDER:
            cost = Decimal(0)
        return TaskUsage(
            input_tokens=input_tokens,
            output_tokens=output_tokens,
            cost=cost,
            currency=prices.currency if prices is not None else None,
            estimated=self._is_estimated,
        )

    def check_next_attempt(self, now: datetime, *, extra_input_tokens: int = 0) -> None:
        """Check that one more attempt fits the limits, assuming that it uses all tokens of its plan.

        Args:
            extra_input_tokens: input beyond the plan; a repair also sends the first answer.

        Raises:
            Rejected: `attempts_used_up`, `deadline_passed` or `budget_used_up`; the message names the limit
                to raise.
        """
        if len(self.attempts) >= self._task.max_attempts:
            raise Rejected(
                f"all {self._task.max_attempts} attempts are used; raise max_attempts",
                code="attempts_used_up",
            )
        if now >= self.deadline_at:
            raise Rejected(
                f"the deadline of {self._task.deadline_s} s has passed; raise deadline_s",
                code="deadline_passed",
            )
        input_tokens = self._plan.input_tokens + extra_input_tokens
        self._check_tokens(input_tokens + self._plan.output_tokens)
        self._check_cost(input_tokens)

    def _check_tokens(self, needed: int) -> None:
        limit, used = self._task.max_tokens, self.usage.input_tokens + self.usage.output_tokens
        if used + needed > limit:
            raise Rejected(
                f"attempt {self.next_number} may need {needed} tokens, but {used} of {limit} are used; "
                "raise max_tokens or shorten the text",
                code="budget_used_up",
                field="max_tokens",
            )

    def _check_cost(self, input_tokens: int) -> None:
        limit, prices, used = self._task.max_cost, self._plan.prices, self.usage.cost
        if limit is None or prices is None or used is None:
            return
        needed = cost_of(prices, input_tokens, self._plan.output_tokens)
        if used + needed > limit:
            raise Rejected(
                f"attempt {self.next_number} may cost {needed} {prices.currency}, "
                f"but {used} of {limit} are used; raise max_cost or shorten the text",
                code="budget_used_up",
                field="max_cost",
            )

    def record_answer(self, kind: AttemptKind, usage: AttemptUsage) -> None:
        self._record(kind, "answered", usage)

    def record_failure(self, kind: AttemptKind, failure: AttemptFailure, now: datetime) -> float:
        """Record a failed attempt.

        Returns:
            The delay before the next attempt in seconds: what the server requested, else exponential backoff.

        Raises:
            Rejected: no attempt is left (with the code of the failure), or the delay ends after the deadline
                (`deadline_passed`).
        """
        maximum = AttemptUsage(
            input_tokens=self._plan.input_tokens, output_tokens=self._plan.output_tokens, estimated=True
        )
        self._record(kind, failure.code, maximum if failure.usage is None else failure.usage)
        number = len(self.attempts)
        if number >= self._task.max_attempts:
            raise Rejected(
                f"attempt {number} of {self._task.max_attempts} failed: {failure.message}", code=failure.code
            )
        delay_s = failure.retry_after_s
        if delay_s is None:
            delay_s = min(MAX_BACKOFF_S, INITIAL_BACKOFF_S * 2.0 ** (number - 1))
        if now + timedelta(seconds=delay_s) >= self.deadline_at:
            left_s = max(0, round((self.deadline_at - now).total_seconds()))
            raise Rejected(
                f"attempt {number} failed: {failure.message}; the next would start in {delay_s:g} s, "
                f"but the deadline is in {left_s} s; raise deadline_s",
                code="deadline_passed",
                field="deadline_s",
            )
        self._delay_s = delay_s
        return delay_s

    def _record(self, kind: AttemptKind, outcome: str, usage: AttemptUsage) -> None:
        record = AttemptRecord(
            number=self.next_number,
            kind=kind,
            outcome=outcome,
            input_tokens=usage.input_tokens,
            output_tokens=usage.output_tokens,
            waited_s=self._delay_s,
        )
        self.attempts.append(record)
        self._is_estimated = self._is_estimated or usage.estimated
        self._delay_s = 0.0


def cost_of(prices: TokenPrices, input_tokens: int, output_tokens: int) -> Decimal:
    return (prices.input * input_tokens + prices.output * output_tokens) / _MILLION
