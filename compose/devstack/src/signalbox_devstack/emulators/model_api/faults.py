"""Injectable faults, selected by the model's name (`sim@rate_limit:2`) or the header `X-Sim-Fault`."""

from collections import Counter
from collections.abc import Mapping
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
    "empty_finish",
    "cut_empty_finish",
    "think",
    "think_unopened",
    "think_only",
    "completion_tokens",
    "no_temperature",
    "no_stream_options",
    "no_json_object",
    "context_length",
    "context_in_stream",
    "credits_in_stream",
    "vllm_error",
    "error_text",
    "error_finish",
    "refusal",
    "tool_call",
    "whole_json",
    "error_json",
    "html_page",
]
REJECTED_PARAMETERS: Final[Mapping[str, tuple[str, str]]] = {
    "completion_tokens": (
        "max_tokens",
        "Unsupported parameter: 'max_tokens' is not supported with this model. "
        "Use 'max_completion_tokens' instead.",
    ),
    "no_temperature": (
        "temperature",
        "Unsupported value: 'temperature' does not support this value with this model. "
        "Only the default (1) value is supported.",
    ),
    "no_stream_options": ("stream_options", "Unrecognized request argument supplied: stream_options"),
    "no_json_object": ("response_format", "'response_format' of type 'json_object' is not supported"),
}
"""From fault to the parameter that it rejects with a 400, and its message."""
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
