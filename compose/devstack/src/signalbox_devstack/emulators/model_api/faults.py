"""FaultCounter on demand, named in the model's name (`sim@rate_limit:2`) or the header `X-Sim-Fault`. Pure but for the counting."""

from collections import Counter
from typing import Final, Literal, get_args

from msgspec import Struct

FaultName = Literal[
    "rate_limit",
    "unauthorized",
    "unavailable",
    "content_filter",
    "cut",
    "stall",
    "bad_json",
    "bad_first",
    "bad_chunk",
    "slow",
    "no_usage",
]
FAULT_NAMES: Final[tuple[str, ...]] = get_args(FaultName)


class ModelFault(Struct, frozen=True, kw_only=True):
    """`times`: how many requests of one question it meets (0: every one); `retry_after_s` goes with rate_limit."""

    name: str
    times: int = 0
    retry_after_s: int = 1


class UnknownModelFault(ValueError):
    """The fault has another form, or no such name."""


def read_fault(text: str) -> ModelFault | None:
    """`NAME[:TIMES[:RETRY_AFTER_S]]`; None for an empty one.

    Raises:
        UnknownModelFault: with a sentence that lists the names.
    """
    if not text:
        return None
    name, *numbers = text.split(":")
    if name not in FAULT_NAMES or len(numbers) > 2 or not all(number.isdecimal() for number in numbers):
        raise UnknownModelFault(
            f"no fault {text!r}: give NAME[:TIMES[:RETRY_AFTER_S]] with NAME one of {', '.join(FAULT_NAMES)}"
        )
    given = [int(number) for number in numbers]
    times, wait = (given[0] if given else 0), (given[1] if len(given) > 1 else 1)
    return ModelFault(name=name, times=times, retry_after_s=wait)


class FaultCounter:
    """Counts how often each question was record_request, so that a fault can pass."""

    def __init__(self) -> None:
        self._asked: Counter[tuple[str, str]] = Counter()

    def match(self, fault: ModelFault | None, question: str) -> ModelFault | None:
        """The fault that this request meets, if it does.

        Args:
            question: what makes two requests the same: their Idempotency-Key, else their messages.
        """
        if fault is None:
            return None
        self._asked[fault.name, question] += 1
        return fault if fault.times == 0 or self._asked[fault.name, question] <= fault.times else None
