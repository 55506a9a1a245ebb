"""Ratios of two arms that were measured in turns, with the uncertainty that the turns show."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean, stdev
from typing import Final

_TWO_SIDED: Final = 2.0
"""Standard errors on each side: about 95 percent."""


@dataclass(frozen=True)
class Ratio:
    """The geometric mean of the pairs' ratios, and the interval in which a longer run would put it."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.2f} ({self.low:.2f} to {self.high:.2f})"

    def is_narrow(self, width: float) -> bool:
        """Whether the interval is at most this wide, so that more turns would change little."""
        return self.high - self.low <= width

    def settles(self, limit: float, width: float) -> bool:
        """Whether more turns would hardly matter: it is narrow, or on one side of its limit."""
        return self.is_narrow(width) or not self.low <= limit <= self.high


def paired_ratio(ours: Sequence[float], peer: Sequence[float]) -> Ratio:
    """Compare pairs, each measured back to back, so that a load of the machine weighs on both.

    Args:
        ours: one figure a turn.
        peer: the peer's figure of the same turn; at least two turns.
    """
    logs = [math.log(one / other) for one, other in zip(ours, peer, strict=True)]
    middle, error = mean(logs), _TWO_SIDED * stdev(logs) / math.sqrt(len(logs))
    return Ratio(math.exp(middle), math.exp(middle - error), math.exp(middle + error))
