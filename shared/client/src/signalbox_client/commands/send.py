"""`signalbox send`: an external event, to a run, by its business key, or to start a run."""

import argparse
import uuid
from collections.abc import Sequence

from signalbox_client.commands.command_context import AddCommand, CommandContext
from signalbox_client.commands.flags import parse_json
from signalbox_client.commands.renderers import print_json, table
from signalbox_client.wire.event_models import EventDelivery
from signalbox_core.errors import InvalidInput


def add_send(add: AddCommand) -> None:
    parser = add(
        "send",
        "send an event that a run waits for, or that starts a run",
        send,
        details="The event goes to one run, to the run that waits, or will wait, for its business key, or it "
        "starts a run of each pipeline whose contract declares it.",
    )
    parser.add_argument("event", metavar="EVENT", help="the event's name in the pipeline's contract")
    target = parser.add_mutually_exclusive_group(required=True)
    target.add_argument("--run", metavar="RUN", help="the run id")
    target.add_argument("--key", metavar="KEY", help="the business key, such as an order number")
    target.add_argument("--start", action="store_true", help="the event starts a run and has no key")
    parser.add_argument("--data", metavar="JSON", default="{}", help="the event's data as JSON (default: {})")
    parser.add_argument(
        "--event-id",
        metavar="ID",
        help="the event's id; a second event with this id is a duplicate (default: random)",
    )


async def send(context: CommandContext, options: argparse.Namespace) -> int:
    event_id = options.event_id or uuid.uuid4().hex
    data = _parse_data(options.data)
    if options.run is not None:
        delivery = await context.client.send_event_to_run(options.run, options.event, data, event_id=event_id)
        deliveries: Sequence[EventDelivery] = (delivery,)
    else:
        sent = await context.client.send_event(options.event, data, key=options.key, event_id=event_id)
        deliveries = sent.deliveries
    if context.as_json:
        print_json(context.console, deliveries)
        return 0
    rows = [(item.pipeline, item.status, item.run_id or "", item.event_id) for item in deliveries]
    context.console.print(table(("pipeline", "event", "run", "event id"), rows))
    return 0


def _parse_data(text: str) -> object:
    try:
        return parse_json(text)
    except ValueError as error:
        raise InvalidInput(f"--data is not JSON: {error}", field="--data") from None
