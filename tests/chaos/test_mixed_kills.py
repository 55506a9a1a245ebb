"""kill -9 of worker, gateway, Redis and Temporal, mixed, while a schedule, waits, webhooks, callbacks and
retries are in progress: nothing is lost and nothing happens twice.

`MIXED_KILLS=20 make chaos ARGS=tests/chaos/test_mixed_kills.py` kills more often, MIXED_KILLS_SEED in another
order.
"""

import asyncio
import base64
import json
import logging
import os
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx2
import msgspec
import pytest

from signalbox_client import AsyncSignalbox
from signalbox_client.wire.schedule_models import Schedule
from signalbox_core.crypto.standard_webhooks import parse_secrets, signed_headers
from signalbox_core.errors import Conflict, SignalboxError, Unavailable
from support.assertions.eventually import eventually
from support.drivers.journeys import Subscription
from support.servers.installed_pipelines import install_pipelines
from support.servers.stack import RunningStack, running_stack
from support.shipping.activities import CALLBACKS_FOLDER

log = logging.getLogger(__name__)
KILLS = int(os.environ.get("MIXED_KILLS", "6"))
SEED = int(os.environ.get("MIXED_KILLS_SEED", "17"))
PARTS = ("worker", "gateway", "redis", "temporal")
SCHEDULE = "often"
EVERY = timedelta(seconds=2)
SECRET = f"whsec_{base64.b64encode(b'k' * 32).decode()}"
PATIENCE_S = 150


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("mixed")
    (found / "bank.secret").write_text(SECRET)
    bank = {"name": "bank", "tenant": "demo", "sender": "the bank", "secret_file": "bank.secret"}
    members = {"events": {"invoice.paid": "payment.settled"}, "key_member": "data.order"}
    (found / "webhooks.json").write_text(json.dumps({"webhooks": [bank | members]}))
    return found


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, folder: Path) -> Iterator[RunningStack]:
    """The stack with the pipelines of stages and shipping, whose payments a bank reports by webhook."""
    installed = tmp_path_factory.mktemp("installed")
    install_pipelines(installed, "staged", "support.staged")
    environ = {
        "PYTHONPATH": install_pipelines(installed, "shipping", "support.shipping"),
        "SIGNALBOX_GATEWAY_SCHEDULE_MIN_INTERVAL_S": "1",
        "SIGNALBOX_GATEWAY_WEBHOOKS_FILE": str(folder / "webhooks.json"),
        CALLBACKS_FOLDER: str(folder),
    }
    with running_stack(tmp_path_factory.mktemp("mixed-stack"), environ=environ) as started:
        yield started


def order_of_kills() -> list[str]:
    """Every part equally often, in random order."""
    parts = [PARTS[number % len(PARTS)] for number in range(KILLS)]
    random.Random(SEED).shuffle(parts)
    return parts


async def until_accepted(send: Callable[[], Awaitable[object]], *, accepted_code: str = "") -> None:
    """Send the same request until it is acknowledged.

    Args:
        accepted_code: of the conflict that shows that an earlier request, whose response was lost, counted.
    """

    async def accepted() -> bool:
        try:
            await send()
        except Unavailable:
            return False
        except Conflict as error:
            return error.stable_code == accepted_code
        return True

    await eventually(accepted, within_s=PATIENCE_S, every_s=0.2)


async def until_status(client: AsyncSignalbox, run_id: str, status: str) -> None:
    seen: object = None

    async def reached() -> bool:
        nonlocal seen
        try:
            run = await client.run(run_id)
        except SignalboxError as error:
            seen = error
            return False
        seen = (run.status, run.error, run.blocked, run.queued)
        return run.status == status

    try:
        await eventually(reached, within_s=PATIENCE_S, every_s=0.5)
    except AssertionError as error:
        raise AssertionError(f"{run_id} is not {status}: {seen}") from error


async def result_of(client: AsyncSignalbox, run_id: str) -> object:
    async def read() -> bytes:
        try:
            return await client.result(run_id)
        except Unavailable:
            return b""

    return msgspec.json.decode(await eventually(read, within_s=PATIENCE_S, every_s=0.5))


class Journeys:
    """What happens while parts are killed. Every sender repeats what it sends, as careful senders do."""

    def __init__(self, client: AsyncSignalbox, http: httpx2.AsyncClient, gateway: str, folder: Path) -> None:
        self._client = client
        self._http = http
        self._gateway = gateway
        self._folder = folder
        self.waited: dict[str, int] = {}
        """The runs that wait, with the number of their waits."""
        self.retried: list[str] = []

    async def ship(self, number: int) -> None:
        """A run that waits for a payment, which comes before or after the wait, and for its parcel."""
        run_id, amount = f"ship-{number}", number + 1
        self.waited[run_id] = 2
        value = {"order": run_id}
        await asyncio.gather(
            until_accepted(lambda: self._client.start("shipping", value, run_id=run_id)),
            self._pay(run_id, amount),
        )
        for _ in range(2):
            await until_accepted(
                lambda: self._client.send_event_to_run(
                    run_id, "parcel.dispatched", {"parcel": run_id}, event_id=f"parcel-{run_id}"
                ),
                accepted_code="run_ended",
            )
        await until_status(self._client, run_id, "completed")
        assert await result_of(self._client, run_id) == {"amount": amount, "parcel": run_id}

    async def call_back(self, number: int) -> None:
        """A run whose carrier calls a one-time URL."""
        run_id = f"call-{number}"
        self.waited[run_id] = 1
        value = {"order": run_id, "by_callback": True}
        await until_accepted(lambda: self._client.start("shipping", value, run_id=run_id))
        url = await eventually(lambda: _content(self._folder / run_id), within_s=PATIENCE_S, every_s=0.2)
        for _ in range(2):
            await self._post(url, lambda: {}, {"parcel": run_id})
        await until_status(self._client, run_id, "completed")
        assert await result_of(self._client, run_id) == {"amount": 0, "parcel": run_id}

    async def retry(self, number: int) -> None:
        """A run that fails in its last step and is retried: what was completed is not done again."""
        run_id, folder = f"retry-{number}", self._folder / f"work-{number}"
        self.retried.append(run_id)
        folder.mkdir()
        (folder / "broken").touch()
        value = {"folder": str(folder), "fail_at": "third"}
        await until_accepted(lambda: self._client.start("stages", value, run_id=run_id))
        await until_status(self._client, run_id, "failed")
        (folder / "broken").unlink()
        completed = (folder / run_id).read_text()
        await until_accepted(lambda: self._retry(run_id))
        await until_status(self._client, run_id, "completed")
        assert set((folder / run_id).read_text().removeprefix(completed).split()) == {"third-0"}

    async def _retry(self, run_id: str) -> None:
        """Retry a run. A conflict counts if an earlier request continued it, whose key Redis did not get."""
        try:
            await self._client.retry(run_id, idempotency_key=run_id)
        except Conflict as error:
            if error.stable_code != "not_failed" or (await self._client.run(run_id)).retried_at is None:
                raise

    async def _pay(self, order: str, amount: int) -> None:
        """By webhook and, under the same id, by API: one of the two counts."""
        message_id, data = f"pay-{order}", {"order": order, "amount": amount}
        body = {"type": "invoice.paid", "data": data}
        await self._post(
            f"{self._gateway}/v1/webhooks/bank",
            lambda: signed_headers(parse_secrets(SECRET), message_id, int(time.time()), _encoded(body)),
            body,
        )
        await until_accepted(
            lambda: self._client.send_event(
                "payment.settled", {"amount": amount}, key=order, event_id=message_id
            )
        )

    async def _post(self, url: str, headers: Callable[[], Mapping[str, str]], body: object) -> None:
        """POST until the request is acknowledged, or refused because an earlier one counted."""

        async def accepted() -> bool:
            try:
                answer = await self._http.post(
                    url, content=_encoded(body), headers={"content-type": "application/json", **headers()}
                )
            except httpx2.TransportError:
                return False
            assert answer.status_code in (200, 202, 409, 503), answer.text
            return answer.status_code != 503

        await eventually(accepted, within_s=PATIENCE_S, every_s=0.2)


def _encoded(body: object) -> bytes:
    return json.dumps(body).encode()


def _content(file: Path) -> str:
    return file.read_text() if file.is_file() else ""


async def scheduled_since(client: AsyncSignalbox, since: datetime | None) -> Schedule:
    """The schedule once it has started a run after `since`, or its first one."""

    async def found() -> Schedule | None:
        try:
            schedule = await client.schedule(SCHEDULE)
        except Unavailable:
            return None
        newest = schedule.runs[0].scheduled_at if schedule.runs else None
        return schedule if newest is not None and (since is None or newest > since) else None

    return await eventually(found, within_s=PATIENCE_S, every_s=0.5)


def due_runs(first: datetime, last: datetime) -> list[str]:
    times = [first + EVERY * number for number in range((last - first) // EVERY + 1)]
    return [f"{SCHEDULE}~{time:%Y%m%dT%H%M%SZ}" for time in times]


def counts_of(events: Sequence[Mapping[str, str]], run_id: str) -> Counter[str]:
    """The events of a run by name; a redelivery has the id of the first delivery and counts once."""
    return Counter(
        event["ce-type"].removeprefix("dev.signalbox.").removesuffix(".v1")
        for event in events
        if event.get("ce-runid") == run_id
    )


@pytest.mark.timeout(300 + 15 * KILLS)
async def test_mixed_kills_lose_and_double_nothing(
    stack: RunningStack, client: AsyncSignalbox, folder: Path
) -> None:
    consumer = Subscription(str(stack.endpoints.pubsub), "lifecycle", "mixed")
    await consumer.create()
    given = {"folder": str(folder / "scheduled")}
    (folder / "scheduled").mkdir()
    await client.create_schedule(
        SCHEDULE, "stages", given, every_s=int(EVERY.total_seconds()), overlap="allow_all"
    )
    first = (await scheduled_since(client, None)).runs[-1].scheduled_at

    async with httpx2.AsyncClient(timeout=30, trust_env=False) as http, asyncio.TaskGroup() as group:
        journeys = Journeys(client, http, str(stack.endpoints.gateway), folder)
        for number, part in enumerate(order_of_kills()):
            for journey in (journeys.ship, journeys.call_back, journeys.retry):
                group.create_task(journey(number))
            await stack.until_replaced(part, stack.kill(part))
    await scheduled_since(client, datetime.now(UTC))
    paused = await client.update_schedule(SCHEDULE, paused=True)

    due = due_runs(first, paused.runs[0].scheduled_at)
    runs = [*journeys.waited, *journeys.retried, *due]
    for run_id in due:
        await until_status(client, run_id, "completed")
    events = await consumer.until(
        lambda found: all(counts_of(found, run_id)["run.completed"] for run_id in runs), within_s=PATIENCE_S
    )
    counted = {run_id: counts_of(events, run_id) for run_id in runs}
    for name in ("run.started", "run.completed"):
        assert {run_id: counts[name] for run_id, counts in counted.items() if counts[name] != 1} == {}
    received = {run_id: counted[run_id]["wait.received"] for run_id in journeys.waited}
    assert received == journeys.waited
    for run_id in journeys.retried:
        counts = counted[run_id]
        assert (counts["run.failed"], counts["run.retried"], counts["step.completed"]) == (1, 1, 3)
    assert (paused.missed, paused.skipped) == (0, 0)
    log.info("%d kills, %d runs, %d of them scheduled", KILLS, len(runs), len(due))
