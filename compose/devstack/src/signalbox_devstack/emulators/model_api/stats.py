"""Counts and the latest requests, for tests: `GET /_sim/stats`."""

from collections import Counter, deque
from collections.abc import Mapping
from typing import Final

_KEPT: Final = 200


class ModelApiStats:
    """Counters by name, and the latest requests."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._requests: deque[Mapping[str, object]] = deque(maxlen=_KEPT)

    def count(self, name: str) -> None:
        self._counts[name] += 1

    def record_request(self, *, model: str, key: str | None, fault: str | None, is_authorized: bool) -> None:
        self.count("requests")
        self._requests.append(
            {"model": model, "idempotency_key": key, "fault": fault, "authorized": is_authorized}
        )

    def as_json(self) -> Mapping[str, object]:
        return {
            **{name: self._counts[name] for name in ("requests", "tokens", "faults")},
            "last": list(self._requests),
        }
