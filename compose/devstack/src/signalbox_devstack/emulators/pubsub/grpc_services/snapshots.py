"""The snapshot and seek methods of the Subscriber service."""

import time
from typing import Final

from google.protobuf.empty_pb2 import Empty

from signalbox_devstack.emulators.pubsub import wire
from signalbox_devstack.emulators.pubsub.broker import Broker
from signalbox_devstack.emulators.pubsub.errors import invalid
from signalbox_devstack.emulators.pubsub.times import seconds
from signalbox_devstack.emulators.pubsub.validation import DAY_S, apply_mask, check_new_name, page_of

_SNAPSHOT_DAYS: Final = 7
_SNAPSHOT_FIELDS: Final = frozenset({"labels", "expire_time"})


class SnapshotService:
    """Each public method serves one RPC and raises `PubsubError` for an error status."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker

    async def create_snapshot(self, request: wire.CreateSnapshotRequest) -> wire.Snapshot:
        check_new_name("snapshots", request.name, self._broker.snapshots)
        subscription = self._broker.subscription(request.subscription)
        subscription.check_pull()
        snapshot = wire.Snapshot(
            name=request.name, topic=subscription.settings.topic, labels=dict(request.labels)
        )
        snapshot.expire_time.FromSeconds(int(time.time()) + _SNAPSHOT_DAYS * DAY_S)
        self._broker.create_snapshot(subscription, snapshot)
        await self._broker.journal.committed()
        return snapshot

    async def get_snapshot(self, request: wire.GetSnapshotRequest) -> wire.Snapshot:
        return self._broker.snapshot(request.snapshot).wire

    async def update_snapshot(self, request: wire.UpdateSnapshotRequest) -> wire.Snapshot:
        snapshot = self._broker.snapshot(request.snapshot.name)
        apply_mask(snapshot.wire, request.snapshot, request.update_mask.paths, _SNAPSHOT_FIELDS)
        self._broker.save_snapshot(snapshot)
        await self._broker.journal.committed()
        return snapshot.wire

    async def list_snapshots(self, request: wire.ListSnapshotsRequest) -> wire.ListSnapshotsResponse:
        found = [
            each.wire
            for name, each in sorted(self._broker.snapshots.items())
            if name.startswith(f"{request.project}/")
        ]
        rows, following = page_of(found, request.page_size, request.page_token)
        return wire.ListSnapshotsResponse(snapshots=rows, next_page_token=following)

    async def delete_snapshot(self, request: wire.DeleteSnapshotRequest) -> Empty:
        self._broker.snapshot(request.snapshot)
        self._broker.delete_snapshot(request.snapshot)
        await self._broker.journal.committed()
        return Empty()

    async def seek(self, request: wire.SeekRequest) -> wire.SeekResponse:
        subscription = self._broker.subscription(request.subscription)
        if request.HasField("time"):
            since = seconds(request.time)
            self._broker.seek(subscription, lambda message: message.published_s >= since)
        elif request.snapshot:
            snapshot = self._broker.snapshot(request.snapshot)
            if snapshot.wire.topic != subscription.settings.topic:
                raise invalid("The snapshot belongs to another topic than the subscription.")
            self._broker.seek(subscription, snapshot.includes)
        else:
            raise invalid("Seek requires a time or a snapshot.")
        await self._broker.journal.committed()
        return wire.SeekResponse()
