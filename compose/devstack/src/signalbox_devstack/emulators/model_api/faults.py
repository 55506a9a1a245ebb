"""Injectable faults, selected by the model's name (`sim@rate_limit:2`) or the header `X-Sim-Fault`."""

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
    """A selected fault.

    Attributes:
        times: how many requests for the same question it affects; 0: all.
        retry_after_s: for `rate_limit` only.
    """

    name: str
    times: int = 0
    retry_after_s: int = 1


class UnknownModelFault(ValueError):
    """The fault specification is malformed or names an unknown fault."""


def read_fault(text: str) -> ModelFault | None:
    """Parse `NAME[:TIMES[:RETRY_AFTER_S]]`; None when `text` is empty.

    Raises:
        UnknownModelFault: the message lists the known names.
    """
    if not text:
        return None
    name, *numbers = text.split(":")
    if name not in FAULT_NAMES or len(numbers) > 2 or not all(number.isdecimal() for number in numbers):
        raise UnknownModelFault(
            f"unknown fault {text!r}: use NAME[:TIMES[:RETRY_AFTER_S]] with one of {', '.join(FAULT_NAMES)}"
        )
    given = [int(number) for number in numbers]
    times, wait = (given[0] if given else 0), (given[1] if len(given) > 1 else 1)
    return ModelFault(name=name, times=times, retry_after_s=wait)


class FaultCounter:
    """Counts the requests for each question, so that a fault can stop after some of them."""

    def __init__(self) -> None:
        self._requests: Counter[tuple[str, str]] = Counter()

    def match(self, fault: ModelFault | None, question: str) -> ModelFault | None:
        """The fault that affects this request, if any.

        Args:
            question: identifies repeated requests: their Idempotency-Key, or else their messages.
        """
        if fault is None:
            return None
        self._requests[fault.name, question] += 1
        return fault if fault.times == 0 or self._requests[fault.name, question] <= fault.times else None
