"""One signed POST to the receiver, with a few quick tries. Every try is signed anew: the receiver takes a nonce once."""

import asyncio
import logging
import random
import time
from datetime import UTC, datetime
from typing import Final

import httpx2

from signalbox_core.errors import RateLimited, Rejected, Unavailable
from signalbox_core.http.retry_after import retry_after_s
from signalbox_core.signatures import Signer
from signalbox_worker.counters import Counters
from signalbox_worker.verdict import Verdict, problem_code, verdict_of, wait_before

log = logging.getLogger(__name__)

TRY_TIMEOUT_S: Final = 2.5
MAX_BODY_CHARS: Final = 500
_LIMITS: Final = httpx2.Limits(max_connections=64, max_keepalive_connections=16, keepalive_expiry=30.0)


class Refused(Rejected):
    """The receiver refused the body for good (400, 413, 415, 422, or a conflict that will not pass)."""

    code = "event_refused"


def open_client() -> httpx2.AsyncClient:
    """Keep-alive connections; no proxy from the environment, as the receiver is a configured address."""
    return httpx2.AsyncClient(limits=_LIMITS, timeout=TRY_TIMEOUT_S, trust_env=False)


class Poster:
    """Posts to one address; says once when the receiver goes away and once when it is back."""

    def __init__(self, client: httpx2.AsyncClient, url: str, signer: Signer, counters: Counters) -> None:
        self._client = client
        self._url = url
        self._signer = signer
        self._counters = counters
        self._chance = random.Random()
        self._away_since: float | None = None

    @property
    def is_away(self) -> bool:
        return self._away_since is not None

    async def post(self, body: bytes, content_type: str, *, tries: int = 3, within_s: float = 4.0) -> None:
        """Return when the receiver accepted.

        Raises:
            Refused: the body is at fault; the same will be refused again.
            Unavailable: not accepted in these tries (RateLimited when the receiver said how long to wait).
        """
        deadline = time.monotonic() + within_s
        for attempt in range(1, tries + 1):
            problem = await self._try(body, content_type)
            if problem is None:
                return
            told = problem.retry_after_s if isinstance(problem, RateLimited) else 0.0
            wait = max(told, wait_before(attempt, self._chance))
            if attempt == tries or time.monotonic() + wait > deadline:
                raise problem
            await asyncio.sleep(wait)

    async def _try(self, body: bytes, content_type: str) -> Unavailable | None:
        headers = self._signer.sign("POST", self._url, body, content_type)
        try:
            async with asyncio.timeout(TRY_TIMEOUT_S):
                response = await self._client.post(self._url, content=body, headers=headers)
        except (httpx2.TransportError, TimeoutError) as error:
            return self._away(
                Unavailable(f"the receiver at {self._url} does not answer: {type(error).__name__}")
            )
        return self._judge(response)

    def _judge(self, response: httpx2.Response) -> Unavailable | None:
        verdict = verdict_of(response.status_code, problem_code(response.content))
        said = response.text[:MAX_BODY_CHARS]
        if verdict is Verdict.ACCEPTED:
            self._back()
            return None
        if verdict is Verdict.REFUSED:
            self._back()
            raise Refused(f"the receiver refused ({response.status_code}): {said}")
        if verdict is Verdict.MISCONFIGURED:
            detail = f"the receiver answers {response.status_code} to key {self._signer.keyid}: check its key file and our address ({said})"
            return self._away(Unavailable(detail), level=logging.ERROR)
        wait = retry_after_s(response.headers, datetime.now(UTC))
        detail = f"the receiver is busy ({response.status_code})"
        return self._away(Unavailable(detail) if wait is None else RateLimited(detail, retry_after_s=wait))

    def _away(self, problem: Unavailable, *, level: int = logging.WARNING) -> Unavailable:
        self._counters.add("delivery_failures")
        if self._away_since is None:
            self._away_since = time.monotonic()
            log.log(level, "receiver away; events wait", extra={"detail": problem.detail})
        return problem

    def _back(self) -> None:
        if self._away_since is not None:
            log.info("receiver back", extra={"away_s": round(time.monotonic() - self._away_since, 1)})
            self._away_since = None
