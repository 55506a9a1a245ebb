"""Plain workflows: run ids, titles, and progress in heartbeats."""

from collections.abc import Mapping
from typing import Any

import pytest
from temporalio import activity
from temporalio.api.common.v1 import Payload
from temporalio.testing import ActivityEnvironment
from temporalio.worker import ActivityInboundInterceptor, ActivityOutboundInterceptor, ExecuteActivityInput

from signalbox_core.events.catalogue import Failure
from signalbox_core.ids import plain_run_id, plain_workflow_ids
from signalbox_core.pipeline.activity.plain import (
    HeartbeatProgress,
    PlainActivityInterceptor,
    heartbeat_progress,
)
from signalbox_core.pipeline.contract.step_header import StepCall, to_payload
from signalbox_core.pipeline.workflow.plain.run import without_values
from signalbox_core.pipeline.workflow.plain.titles import step_name, title_of
from signalbox_core.temporal.names import HEADER_CALL
from signalbox_core.testing.emitter import FakeEmitter


@pytest.mark.parametrize(
    ("workflow_id", "run_id"),
    [
        ("order-1", "order-1"),
        ("a~b", "a~b"),
        ("order/1", "order~2F1"),
        ("order:1", "order~3A1"),
        ("/root", "wf~2Froot"),
        ("-x", "wf~2Dx"),
        ("đơn 1", "wf~C4~91~C6~A1n~201"),
    ],
)
def test_a_workflow_id_becomes_a_run_id_and_back(workflow_id: str, run_id: str) -> None:
    assert plain_run_id(workflow_id) == run_id
    assert workflow_id in plain_workflow_ids(run_id)


def test_a_workflow_id_that_is_too_long_is_not_shown() -> None:
    assert plain_run_id("x" * 128) is not None
    assert plain_run_id("x" * 129) is None
    assert plain_run_id("/" * 60) is None


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("compose_greeting", "Compose greeting"),
        ("ComposeGreeting", "Compose greeting"),
        ("greetings.compose-all", "Greetings compose all"),
        ("HTTPFetch", "HTTP fetch"),
        ("packItem2", "Pack item2"),
        ("---", "---"),
    ],
)
def test_titles_are_made_from_names(name: str, title: str) -> None:
    assert title_of(name) == title


def test_the_name_of_a_step_is_printable_and_short() -> None:
    assert step_name("a\nb") == "a_b"
    assert len(step_name("ơ" * 300).encode()) <= 200


@pytest.mark.parametrize(
    ("details", "expected"),
    [
        ((3,), HeartbeatProgress(message="3")),
        ((3, 10), HeartbeatProgress(done=3, of=10, message="3 of 10")),
        (("page 3",), HeartbeatProgress(message="page 3")),
        (({"percent": 40, "message": "half"},), HeartbeatProgress(done=40, of=100, message="half")),
        (({"done": 1, "of": 4},), HeartbeatProgress(done=1, of=4, message="1 of 4")),
        ((11, 10), None),
        ((True,), None),
        (({"token": "secret"},), None),
        ((), None),
        (({"percent": 140},), None),
    ],
)
def test_progress_is_read_from_the_details_of_a_heartbeat(
    details: tuple[object, ...], expected: HeartbeatProgress | None
) -> None:
    assert heartbeat_progress(details) == expected


class SentHeartbeats(ActivityOutboundInterceptor):
    """The SDK's end of the chain."""

    def __init__(self) -> None:
        self.details: list[tuple[Any, ...]] = []

    def heartbeat(self, *details: Any) -> None:
        self.details.append(details)


class HeartbeatingActivity(ActivityInboundInterceptor):
    """Runs an activity that sends a heartbeat with each of the values."""

    def __init__(self, values: list[object]) -> None:
        self._values = values
        self._outbound: ActivityOutboundInterceptor | None = None

    def init(self, outbound: ActivityOutboundInterceptor) -> None:
        self._outbound = outbound

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:  # noqa: A002, ARG002
        assert self._outbound is not None
        for value in self._values:
            self._outbound.heartbeat(value)
        return "done"


async def test_a_heartbeat_that_cannot_be_shown_does_not_fail_the_activity() -> None:
    emitter, sent = FakeEmitter(), SentHeartbeats()
    values: list[object] = ["\ud800", 10**5000, {"percent": 10**400}, "page 3"]
    shown = PlainActivityInterceptor(emitter, shows_values=True).intercept_activity(
        HeartbeatingActivity(values)
    )
    shown.init(sent)
    call = StepCall(tenant="acme", run_id="order-1", step="read", attempt=1)
    headers: Mapping[str, Payload] = {HEADER_CALL: to_payload(call)}

    @activity.defn
    async def read() -> str:
        given = ExecuteActivityInput(fn=read, args=[], executor=None, headers=headers)
        result: str = await shown.execute_activity(given)
        return result

    assert await ActivityEnvironment().run(read) == "done"
    assert sent.details == [(value,) for value in values]
    assert len(emitter.progress) == 1


@pytest.mark.parametrize(
    ("code", "shown"),
    [("no_stock", "no_stock"), ("Lan Nguyen, 42", "unexpected_error")],
    ids=["code", "text"],
)
def test_a_failure_of_encrypted_work_shows_its_code_only(code: str, shown: str) -> None:
    failure = Failure(code=code, message="Lan Nguyen has no account", field="lan@example.com", step="pay")

    found = without_values(failure)

    assert (found.code, found.field, found.step) == (shown, None, "pay")
    assert "Lan" not in found.message
