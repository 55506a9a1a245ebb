"""The run's budget, kept in workflow state: what attempts have cost, whether another may start, how long to wait before it. Pure."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from msgspec import Struct

from signalbox_core.chat_model.settings import Prices
from signalbox_core.errors import Rejected
from signalbox_pipelines.ai_task.contract import AiTaskInput, AttemptRecord, Usage
from signalbox_pipelines.ai_task.messages import Kind, Plan, Spent

FIRST_WAIT_S: Final = 1.0
LONGEST_WAIT_S: Final = 20.0
_MILLION: Final = Decimal(1_000_000)


class Miss(Struct, frozen=True, kw_only=True):
    """Why an attempt gave no answer. `spent` None: nobody can say, so it counts as much as it could have cost."""

    code: str
    message: str
    retry_after_s: float | None = None
    spent: Spent | None = None


class Ledger:
    """Mutable; owned by one workflow. Every clock reading comes from outside."""

    def __init__(self, task: AiTaskInput, plan: Plan, now: datetime) -> None:
        self._task = task
        self._plan = plan
        self.deadline_at = now + timedelta(seconds=task.deadline_s)
        self.attempts: list[AttemptRecord] = []
        self._is_estimated = False
        self._waited_s = 0.0

    @property
    def next_number(self) -> int:
        return len(self.attempts) + 1

    @property
    def usage(self) -> Usage:
        read = sum(attempt.input_tokens for attempt in self.attempts)
        written = sum(attempt.output_tokens for attempt in self.attempts)
        prices = self._plan.prices
        cost = (
            cost_of(prices, read, written)
            if prices
            else Decimal(0)
            if self._plan.provider == "local-extractive"
            else None
        )
        currency = prices.currency if prices else None
        return Usage(
            input_tokens=read,
            output_tokens=written,
            cost=cost,
            currency=currency,
            estimated=self._is_estimated,
        )

    def check(self, now: datetime, *, more_tokens: int = 0) -> None:
        """Before every attempt.

        Args:
            more_tokens: that this attempt reads beyond the plan (a repair reads the first answer).

        Raises:
            Rejected: `budget_used_up`, `deadline_passed` or `attempts_used_up`; it says what was used and what to raise.
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
        used, read = self.usage, self._plan.input_tokens + more_tokens
        tokens = used.input_tokens + used.output_tokens
        needed = read + self._plan.output_tokens
        if tokens + needed > self._task.max_tokens:
            detail = f"attempt {self.next_number} may need {needed} tokens; {tokens} of {self._task.max_tokens} are used"
            raise Rejected(
                f"{detail}: raise max_tokens or shorten the text", code="budget_used_up", field="max_tokens"
            )
        self._check_cost(used, read)

    def _check_cost(self, used: Usage, read: int) -> None:
        limit, prices = self._task.max_cost, self._plan.prices
        if limit is None or prices is None or used.cost is None:
            return
        needed = cost_of(prices, read, self._plan.output_tokens)
        if used.cost + needed > limit:
            detail = f"attempt {self.next_number} may cost {needed} {prices.currency}; {used.cost} of {limit} are used"
            raise Rejected(
                f"{detail}: raise max_cost or shorten the text", code="budget_used_up", field="max_cost"
            )

    def answered(self, kind: Kind, spent: Spent) -> None:
        self._note(kind, "answered", spent)

    def missed(self, kind: Kind, miss: Miss, now: datetime) -> float:
        """Note a failed attempt; the seconds to wait before the next.

        Raises:
            Rejected: there is no next one: attempts or time are used up. Code and sentence name the last failure.
        """
        # An attempt of which nothing is known may have cost as much as it was allowed to.
        unknown = Spent(
            input_tokens=self._plan.input_tokens, output_tokens=self._plan.output_tokens, estimated=True
        )
        self._note(kind, miss.code, unknown if miss.spent is None else miss.spent)
        made = len(self.attempts)
        if made >= self._task.max_attempts:
            raise Rejected(
                f"attempt {made} of {self._task.max_attempts} failed: {miss.message}", code=miss.code
            )
        wait = (
            min(LONGEST_WAIT_S, FIRST_WAIT_S * 2.0 ** (made - 1))
            if miss.retry_after_s is None
            else miss.retry_after_s
        )
        if now + timedelta(seconds=wait) >= self.deadline_at:
            left = max(0, round((self.deadline_at - now).total_seconds()))
            detail = f"attempt {made} failed: {miss.message}; the next would be in {wait:g} s, the deadline is in {left} s"
            raise Rejected(f"{detail}: raise deadline_s", code="deadline_passed", field="deadline_s")
        self._waited_s = wait
        return wait

    def _note(self, kind: Kind, outcome: str, spent: Spent) -> None:
        record = AttemptRecord(
            number=self.next_number,
            kind=kind,
            outcome=outcome,
            input_tokens=spent.input_tokens,
            output_tokens=spent.output_tokens,
            waited_s=self._waited_s,
        )
        self.attempts.append(record)
        self._is_estimated = self._is_estimated or spent.estimated
        self._waited_s = 0.0


def cost_of(prices: Prices, read: int, written: int) -> Decimal:
    return (prices.input * read + prices.output * written) / _MILLION
