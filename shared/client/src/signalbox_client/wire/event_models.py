"""Response types about external events, which runs wait for."""

import msgspec
from msgspec import Struct


class ExternalEventContract(Struct, frozen=True, kw_only=True):
    """An external event that the pipeline's runs wait for."""

    name: str
    title: str
    data_schema: msgspec.Raw = msgspec.Raw(b"null")


class StartEventContract(Struct, frozen=True, kw_only=True):
    """An external event that starts a run of the pipeline, once per `event` or per business `key`."""

    name: str
    title: str
    data_schema: msgspec.Raw = msgspec.Raw(b"null")
    once_per: str = "event"


class EventDelivery(Struct, frozen=True, kw_only=True):
    """The outcome of an external event in one pipeline.

    `received`: the wait `wait_id` of the run `run_id` has received it. `kept`: it is kept until a run waits
    for it. `started`: it has started the run `run_id`. `duplicate`: an event of this id, or of this key where
    one run is started for each key, arrived before. `recorded`: it is stored, and takes effect when a worker
    or Temporal is available again.
    """

    event_id: str
    pipeline: str
    status: str
    run_id: str | None = None
    wait_id: str | None = None


class EventDeliveries(Struct, frozen=True, kw_only=True):
    event_id: str
    deliveries: tuple[EventDelivery, ...] = ()
