"""The marker of an event that a person approved and the receiver refused is accepted."""

from msgspec import Raw
from msgspec.json import encode
from msgspec.structs import replace

from signalbox_core.events.catalogue import StepStarted
from signalbox_core.events.effect_digest import with_effect_digest
from signalbox_core.pubsub import from_message
from signalbox_worker.emitter import HttpEmitter
from signalbox_worker.metrics import WorkerMetrics
from signalbox_worker.post_client import open_post_client
from signalbox_worker.receiver_client import ReceiverClient
from support.fakes.events import story
from support.servers.live_receiver import LiveReceiver, published


async def test_the_marker_takes_the_place_of_a_refused_approved_event(
    receiver: LiveReceiver, pubsub_host: str, project: str
) -> None:
    second = story(project)[1]
    approved = with_effect_digest(second)
    # Another event with this id has been accepted, so the approved one is refused.
    other = StepStarted(step="read", title="Read another page")
    accepted = await receiver.send(replace(second, data=Raw(encode(other))))
    assert accepted.status_code == 202
    metrics = WorkerMetrics()
    async with open_post_client(receiver.url) as client:
        emitter = HttpEmitter(ReceiverClient(client, receiver.url, receiver.signer, metrics), metrics)
        await emitter.deliver([approved])

    last = (await published(pubsub_host, project))[-1]
    marker = from_message(last.data, last.attributes)
    assert (marker.name, marker.sequence, marker.effectdigest) == ("event.refused", second.sequence, None)
    assert metrics["events_refused"] == 1
