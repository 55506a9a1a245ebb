"""How fast one key may deliver: a token bucket per keyid, in this process; only proven deliveries are counted."""

from collections.abc import Callable

from signalbox_core.errors import RateLimited


class Rates:
    """Token buckets by keyid; their number is bounded by the key file, as only known keys get here."""

    def __init__(self, *, per_s: float, clock: Callable[[], float]) -> None:
        self._per_s = per_s
        self._burst = max(1.0, 2 * per_s)
        self._clock = clock
        self._buckets: dict[str, tuple[float, float]] = {}

    def take(self, keyid: str) -> None:
        """Count one delivery.

        Raises:
            RateLimited: the key's bucket is empty; says when it is not.
        """
        now = self._clock()
        tokens, since = self._buckets.get(keyid, (self._burst, now))
        tokens = min(self._burst, tokens + (now - since) * self._per_s)
        if tokens < 1:
            raise RateLimited("this key sends too fast; slow down", retry_after_s=(1 - tokens) / self._per_s)
        self._buckets[keyid] = (tokens - 1, now)
