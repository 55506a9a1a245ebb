"""Callbacks: which event ends their wait, their tokens, and where a worker makes no URL."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec import Struct

from signalbox_core.errors import Forbidden, Unavailable
from signalbox_core.ids import run_key
from signalbox_core.pipeline import Callback, ExternalEvent
from signalbox_core.pipeline.contract.callback_tokens import callback_url, open_token
from signalbox_core.pipeline.contract.external_event import InboundEvent
from signalbox_core.pipeline.deps import ActivityDeps
from signalbox_core.pipeline.workflow.external.wait_registry import OpenWait, WaitRegistry
from signalbox_core.temporal.names import DEFAULT_TENANT
from signalbox_core.testing.fetch import FakeFetcher
from signalbox_core.testing.objects import FakeObjectStore
from support.fakes.payload_keys import new_ring

NOW = datetime(2030, 1, 1, tzinfo=UTC)


class Dispatched(Struct, frozen=True, kw_only=True):
    parcel: str


DISPATCHED = ExternalEvent(name="parcel.dispatched", title="the carrier", data=Dispatched)


def callback(tenant: str = DEFAULT_TENANT) -> Callback:
    return Callback(
        pipeline="shipping",
        workflow_id=run_key(tenant, "r-1"),
        wait_id="parcel.dispatched",
        name="parcel.dispatched",
        expires_at=NOW,
    )


def event(event_id: str, wait_id: str | None = None, key: str | None = None) -> InboundEvent:
    return InboundEvent(
        name="parcel.dispatched", event_id=event_id, data=msgspec.Raw(b"{}"), wait_id=wait_id, key=key
    )


def registry(*, is_callback: bool = True) -> tuple[WaitRegistry, OpenWait]:
    waits = WaitRegistry("r-1")
    wait = OpenWait("parcel.dispatched", DISPATCHED, None, NOW + timedelta(hours=1), is_callback=is_callback)
    waits.open(wait, NOW)
    return waits, wait


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(event("e", None), id="to the run"),
        pytest.param(event("e", None, "k"), id="by key"),
        pytest.param(event("e", "parcel.dispatched", "k"), id="from a mailbox"),
    ],
)
def test_only_its_own_event_ends_the_wait_of_a_callback(other: InboundEvent) -> None:
    waits, wait = registry()

    assert waits.accept(other, NOW).status == "kept"
    assert wait.received is None
    assert waits.accept(event("callback:a", "parcel.dispatched"), NOW).status == "received"
    assert waits.accept(event("callback:a", "parcel.dispatched"), NOW).status == "duplicate"


def test_an_event_of_the_same_id_does_not_use_up_a_callback() -> None:
    waits, _ = registry()
    waits.accept(event("callback:parcel.dispatched"), NOW)

    record = waits.accept(event("callback:parcel.dispatched", "parcel.dispatched"), NOW)

    assert record.status == "received"


def test_a_callback_ends_no_other_wait_and_is_never_kept() -> None:
    waits, wait = registry(is_callback=False)

    assert waits.accept(event("callback:a", "parcel.dispatched"), NOW).status == "refused"
    assert waits.accept(event("callback:a", "parcel.dispatched-2"), NOW).status == "refused"
    assert wait.received is None
    assert waits.carried().kept == ()


def test_a_token_has_the_callback_for_who_has_the_keys(tmp_path: Path) -> None:
    keys = new_ring(tmp_path)

    urls = [callback_url("https://signalbox.example.com/", callback(), keys) for _ in range(2)]

    assert all(url.startswith("https://signalbox.example.com/v1/callbacks/") for url in urls)
    assert "shipping" not in urls[0]
    assert [open_token(url.rpartition("/")[2], keys) for url in urls] == [callback()] * 2


@pytest.mark.parametrize("token", ["", "a", "a.b", "a." + "A" * 60, "a." + "A" * 3_000, "ü." + "A" * 60])
def test_what_is_no_token_has_no_callback(token: str, tmp_path: Path) -> None:
    assert open_token(token, new_ring(tmp_path)) is None


def deps(**more: Any) -> ActivityDeps:
    return ActivityDeps(objects=FakeObjectStore(), fetcher=FakeFetcher({}), environ={}, **more)


def test_a_worker_without_keys_or_origin_makes_no_url(tmp_path: Path) -> None:
    for incomplete in (deps(keys=new_ring(tmp_path)), deps(callback_origin="https://s.example")):
        with pytest.raises(Unavailable, match="SIGNALBOX_WORKER_CALLBACK_ORIGIN") as caught:
            incomplete.callback_url(callback())
        assert caught.value.stable_code == "callbacks_unavailable"


def test_an_activity_makes_no_url_for_another_tenants_run(tmp_path: Path) -> None:
    own = deps(keys=new_ring(tmp_path), callback_origin="https://s.example")

    assert own.callback_url(callback())
    with pytest.raises(Forbidden):
        own.callback_url(callback("acme"))
