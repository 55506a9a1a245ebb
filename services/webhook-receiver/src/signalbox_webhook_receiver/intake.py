"""From verified events to accepted ones: permissions, rates, claims, Pub/Sub, the runs' streams.

The events of one run are accepted or refused together, each run of a delivery separately.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import msgspec

from signalbox_core.errors import Forbidden, SignalboxError, Unavailable
from signalbox_core.pubsub import Publisher
from signalbox_core.redis.rates import RateLimiter
from signalbox_core.streams import RunStream
from signalbox_webhook_receiver.deduplication import UNMARKED, Claim, Claims
from signalbox_webhook_receiver.events import Entry, RunEvents, check_permission
from signalbox_webhook_receiver.metrics import ReceiverMetrics
from signalbox_webhook_receiver.publication import append_all, publish_runs
from signalbox_webhook_receiver.verification import Proof

log = logging.getLogger(__name__)


class DeliveryBackends(msgspec.Struct, frozen=True, kw_only=True):
    """The backends of a delivery: rate limits, deduplication, publication and the runs' streams."""

    rates: RateLimiter
    claims: Claims
    publisher: Publisher
    stream: RunStream


@dataclass(kw_only=True)
class RunOutcome:
    """The outcome of one run's events.

    Attributes:
        claim: has the events that are new; None until they are claimed.
        error: why the events are not accepted.
    """

    events: RunEvents
    claim: Claim | None = None
    error: SignalboxError | None = None

    @property
    def fresh(self) -> Sequence[Entry]:
        return self.claim.fresh if self.claim is not None and self.error is None else ()


class EventIntake:
    """Accepts the events of deliveries."""

    def __init__(self, backends: DeliveryBackends, metrics: ReceiverMetrics) -> None:
        self._backends = backends
        self._metrics = metrics

    async def accept(
        self, proof: Proof, runs: Sequence[RunEvents], publish_timeout_s: Callable[[], float]
    ) -> list[RunOutcome]:
        """Accept what is valid and new; what is returned as accepted is in Pub/Sub.

        Raises:
            SignalboxError: nothing is accepted: the rate is used up, the nonce was used, or Redis is
                unavailable.
        """
        outcomes = [RunOutcome(events=run, error=run.error) for run in runs]
        for outcome in _open(outcomes):
            try:
                check_permission(proof.key, outcome.events.entries)
            except Forbidden as error:
                outcome.error = error
        if _open(outcomes):
            await self._backends.rates.take(proof.key.keyid)
            await self._claim(proof, outcomes)
            await self._publish(outcomes, publish_timeout_s())
        return outcomes

    async def _claim(self, proof: Proof, outcomes: Sequence[RunOutcome]) -> None:
        claimable = _open(outcomes)
        try:
            claims = await self._backends.claims.claim(
                proof, [outcome.events.entries for outcome in claimable]
            )
        except Unavailable:
            self._metrics.claim_failures.labels("claim").inc()
            raise
        for outcome, claim in zip(claimable, claims, strict=True):
            if isinstance(claim, Claim):
                outcome.claim = claim
            else:
                outcome.error = claim

    async def _publish(self, outcomes: Sequence[RunOutcome], timeout_s: float) -> None:
        claimed = _open(outcomes)
        new = [outcome for outcome in claimed if outcome.fresh]
        if new:
            await self._publish_new(new, timeout_s, is_alone=len(new) == len(claimed))
        fresh = [entry for outcome in new for entry in outcome.fresh]
        if fresh:
            await append_all(
                self._backends.stream, fresh, on_failure=self._metrics.left_to_repair.labels("stream").inc
            )
        await self._finish([outcome.claim for outcome in _open(outcomes) if outcome.claim is not None])

    async def _publish_new(self, new: Sequence[RunOutcome], timeout_s: float, *, is_alone: bool) -> None:
        """Publish; release the claims of the runs whose events are not published.

        Args:
            is_alone: nothing else of the delivery is accepted before.
        """
        try:
            with self._metrics.publish_seconds.time():
                errors = await publish_runs(
                    self._backends.publisher, [outcome.fresh for outcome in new], timeout_s=timeout_s
                )
        except Exception:
            # Not on cancellation: the outcome is then unknown, and the claims are left to expire.
            await self._release(new, with_nonce=is_alone)
            raise
        for outcome, error in zip(new, errors, strict=True):
            outcome.error = error
        failed = [outcome for outcome in new if outcome.error is not None]
        if failed:
            await self._release(failed, with_nonce=is_alone and len(failed) == len(new))

    async def _finish(self, claims: Sequence[Claim]) -> None:
        if not claims:
            return
        try:
            await self._backends.claims.finish(claims)
        except Unavailable:
            count = sum(len(claim.fresh) for claim in claims)
            self._metrics.count_unmarked(count)
            log.warning(UNMARKED, extra={"events": count})

    async def _release(self, outcomes: Sequence[RunOutcome], *, with_nonce: bool) -> None:
        claims = [outcome.claim for outcome in outcomes if outcome.claim is not None]
        try:
            await self._backends.claims.release(claims, with_nonce=with_nonce)
        except Unavailable:
            self._metrics.claim_failures.labels("release").inc()
            self._metrics.left_to_repair.labels("release").inc()
            log.warning(
                "cannot release claims; they will expire",
                extra={"events": sum(len(claim.fresh) for claim in claims)},
            )


def _open(outcomes: Sequence[RunOutcome]) -> list[RunOutcome]:
    """Return the runs that are not refused."""
    return [outcome for outcome in outcomes if outcome.error is None]
