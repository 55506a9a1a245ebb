"""Injectable faults per taxpayer. Decides which call is affected; `endpoint.py` carries the fault out."""

import random
from collections import defaultdict
from collections.abc import Sequence
from typing import Annotated, Literal

from msgspec import Meta, Struct

Kind = Literal[
    "rate_limit",
    "swallow",
    "cut",
    "slow_504",
    "fast_500",
    "expire",
    "waf",
    "drift",
    "mismatch",
    "state_repeats",
    "last_state_repeats",
]
Target = Literal["captcha", "authenticate", "list", "detail", "xml", "excel"]


class PortalFault(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A fault and the calls that it affects.

    Attributes:
        on: the kinds of calls that are counted and can be affected.
        times: how many calls are affected at most; 0: no limit.
        after: how many calls pass first.
        every: affect every n-th call.
        share: probability that a call is affected.
        retry_after_s: rate_limit only; None: no Retry-After header.
        per_s, burst: rate_limit only; affect only calls that exceed this rate.
        delay_s: slow_504 only.
        over_bytes: cut only; responses longer than this are truncated there.
    """

    kind: Kind
    on: tuple[Target, ...] = ("list", "detail", "xml")
    times: Annotated[int, Meta(ge=0)] = 0
    after: Annotated[int, Meta(ge=0)] = 0
    every: Annotated[int, Meta(ge=1)] = 1
    share: Annotated[float, Meta(gt=0, le=1)] = 1.0
    retry_after_s: Annotated[int, Meta(ge=0)] | None = None
    per_s: Annotated[float, Meta(gt=0)] | None = None
    burst: Annotated[int, Meta(ge=1)] = 1
    delay_s: Annotated[float, Meta(ge=0, le=120)] = 2.0
    over_bytes: Annotated[int, Meta(ge=0)] = 0


class _ActiveFault(Struct):
    """A fault in effect with its counters."""

    fault: PortalFault
    dice: random.Random
    seen: int = 0
    hit: int = 0
    tokens: float = 0.0
    filled_at_s: float = 0.0


class PortalFaults:
    """The faults in effect, by taxpayer. Those of `*` apply to taxpayers that have no entry."""

    def __init__(self) -> None:
        self._sets: defaultdict[str, list[_ActiveFault]] = defaultdict(list)

    def put(self, mst: str, faults: Sequence[PortalFault]) -> None:
        """Replace all faults of this taxpayer. The random choices are the same each time."""
        self._sets[mst] = [
            _ActiveFault(fault, random.Random(f"{mst}/{place}"), tokens=fault.burst)
            for place, fault in enumerate(faults)
        ]

    def all(self) -> "dict[str, list[PortalFault]]":
        return {mst: [item.fault for item in sets] for mst, sets in self._sets.items() if sets}

    def next_fault(self, mst: str, target: str, now_s: float) -> PortalFault | None:
        """The fault that affects this call: the first that applies.

        Each fault counts all calls of its kinds.
        """
        sets = self._sets[mst] or self._sets["*"]
        found = [item for item in sets if target in item.fault.on and _applies(item, now_s)]
        if not found:
            return None
        found[0].hit += 1
        return found[0].fault


def _applies(item: _ActiveFault, now_s: float) -> bool:
    fault = item.fault
    item.seen += 1
    if (
        item.seen <= fault.after
        or (item.seen - fault.after - 1) % fault.every
        or (fault.times and item.hit >= fault.times)
    ):
        return False
    if fault.per_s is not None:
        return not _takes_token(item, fault.per_s, now_s)
    return fault.share >= 1 or item.dice.random() < fault.share


def _takes_token(item: _ActiveFault, per_s: float, now_s: float) -> bool:
    """Take a token from a bucket of `burst` tokens that is refilled at `per_s`."""
    item.tokens = min(item.fault.burst, item.tokens + (now_s - item.filled_at_s) * per_s)
    item.filled_at_s = now_s
    if item.tokens < 1:
        return False
    item.tokens -= 1
    return True
