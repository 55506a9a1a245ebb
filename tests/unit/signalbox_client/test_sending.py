"""`signalbox send`: what it sends, and what it prints."""

import io
import json

import httpx2
import pytest
from rich.console import Console

from signalbox_client import AsyncSignalbox
from signalbox_client.commands.arguments.command_parser import parse_arguments
from signalbox_client.commands.command_context import CommandContext
from signalbox_client.commands.send import send
from signalbox_core.errors import InvalidInput

DELIVERY = {"event_id": "e1", "pipeline": "orders", "status": "received", "run_id": "order-1"}


class EventGateway:
    """Accepts every event."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, object]] = []

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.sent.append((request.url.path, json.loads(request.content)))
        is_by_key = request.url.path.startswith("/v1/events/")
        body = {"event_id": "e1", "deliveries": [DELIVERY]} if is_by_key else DELIVERY
        return httpx2.Response(200, json=body)


async def call(gateway: EventGateway, *arguments: str) -> tuple[int, str]:
    """Exit code and output."""
    console = Console(width=200, record=True, file=io.StringIO())
    options = parse_arguments(["send", *arguments])
    async with AsyncSignalbox(
        "http://gateway.test", "key", transport=httpx2.MockTransport(gateway), backoff_s=()
    ) as client:
        code = await send(CommandContext(client=client, console=console, as_json=options.json), options)
    return code, console.export_text()


async def test_an_event_is_sent_by_its_key_and_the_run_that_received_it_is_printed() -> None:
    gateway = EventGateway()

    code, text = await call(
        gateway, "payment.settled", "--key", "4711", "--data", '{"amount": 5}', "--event-id", "e1"
    )

    body = {"event_id": "e1", "key": "4711", "data": {"amount": 5}}
    assert (code, gateway.sent) == (0, [("/v1/events/payment.settled", body)])
    assert "received" in text
    assert "order-1" in text


async def test_an_event_is_sent_to_a_run_under_an_id_of_its_own() -> None:
    gateway = EventGateway()

    await call(gateway, "payment.settled", "--run", "order-1")
    await call(gateway, "payment.settled", "--run", "order-1")

    assert [path for path, _ in gateway.sent] == ["/v1/runs/order-1/events/payment.settled"] * 2
    ids = {body["event_id"] for _, body in gateway.sent if isinstance(body, dict)}
    assert len(ids) == 2


async def test_an_event_that_starts_a_run_is_sent_without_a_key() -> None:
    gateway = EventGateway()

    await call(gateway, "order.placed", "--start", "--event-id", "e1")

    assert gateway.sent == [("/v1/events/order.placed", {"event_id": "e1", "data": {}})]


async def test_the_output_as_json_has_every_delivery() -> None:
    _, text = await call(EventGateway(), "payment.settled", "--key", "4711", "--json")

    assert json.loads(text)[0]["status"] == "received"


async def test_data_that_is_not_json_is_refused_before_anything_is_sent() -> None:
    gateway = EventGateway()

    with pytest.raises(InvalidInput, match="--data is not JSON"):
        await call(gateway, "payment.settled", "--key", "4711", "--data", "{amount}")

    assert gateway.sent == []


@pytest.mark.parametrize("target", [(), ("--run", "a", "--key", "b")], ids=["none", "both"])
def test_a_run_or_a_key_is_required(target: tuple[str, ...]) -> None:
    with pytest.raises(InvalidInput, match="--run"):
        parse_arguments(["send", "payment.settled", *target])
