"""Cases 79 to 91 over a real socket: sizes, slowness, odd HTTP, and bodies that are no event."""

import asyncio
import json
from typing import Any

import pytest

from signalbox_core.events import encode_event
from support.assertions.receiver_cases import case, is_problem
from support.drivers.raw_http import code_of, raw, status_of, talk
from support.drivers.signed_requests import ONE
from support.fakes.events import story
from support.servers.live_receiver import LiveReceiver, published

EVENT = story()[0]
BODY = encode_event(EVENT)
CAP = 256 * 1024


async def has_no_effect(receiver: LiveReceiver, pubsub_host: str, project: str) -> None:
    """Nothing was published, and the receiver is well: a good event is accepted."""
    assert not await published(pubsub_host, project)
    assert (await receiver.post(encode_event(story(project)[0]), ONE)).status_code == 202


@pytest.mark.parametrize(
    ("changes", "statuses"),
    [
        case(
            79,
            "declared-too-large",
            {"leave_out": "Content-Length", "add": [f"Content-Length: {CAP + 1}"]},
            {413},
        ),
        case(
            82,
            "content-length-negative",
            {"leave_out": "Content-Length", "add": ["Content-Length: -1"]},
            {400},
        ),
        case(83, "gzip", {"add": ["Content-Encoding: gzip"]}, {415}),
        case(83, "br", {"add": ["Content-Encoding: br"]}, {415}),
        case(84, "text", {"leave_out": "Content-Type", "add": ["Content-Type: text/plain"]}, {415}),
        case(
            84,
            "form",
            {"leave_out": "Content-Type", "add": ["Content-Type: application/x-www-form-urlencoded"]},
            {415},
        ),
        case(
            84, "plain-json", {"leave_out": "Content-Type", "add": ["Content-Type: application/json"]}, {415}
        ),
        case(
            84,
            "utf-16",
            {"leave_out": "Content-Type", "add": [f"Content-Type: {ONE}; charset=utf-16"]},
            {415},
        ),
        case(84, "missing", {"leave_out": "Content-Type"}, {415}),
        case(85, "get", {"line": "GET /v1/events HTTP/1.1"}, {405}),
        case(85, "put", {"line": "PUT /v1/events HTTP/1.1"}, {405}),
        case(85, "delete", {"line": "DELETE /v1/events HTTP/1.1"}, {405}),
        case(85, "options", {"line": "OPTIONS /v1/events HTTP/1.1"}, {405}),
        case(86, "trailing-slash", {"line": "POST /v1/events/ HTTP/1.1"}, {404}),
        case(86, "two-slashes", {"line": "POST //v1/events HTTP/1.1"}, {404}),
        case(86, "dot-segments", {"line": "POST /v1/x/../events HTTP/1.1"}, {404}),
        case(87, "two-hosts", {"add": ["Host: 127.0.0.1"]}, {400}),
        case(87, "no-host", {"leave_out": "Host"}, {400}),
        case(87, "absolute-target", {"line": "POST http://{host}/v1/events HTTP/1.1"}, {400}),
        case(
            87,
            "absolute-target-elsewhere",
            {"line": "POST http://evil.example.com/v1/events HTTP/1.1"},
            {400},
        ),
        case(88, "length-and-chunked", {"add": ["Transfer-Encoding: chunked"]}, {400}),
        case(88, "length-twice", {"add": ["Content-Length: 5"]}, {400}),
        case(88, "folded-header", {"add": ["X-Folded: a", " b"]}, {400, 202}),
        case(88, "header-named-method", {"add": ["@method: PUT"]}, {400}),
        case(88, "lower-case-method", {"line": "post /v1/events HTTP/1.1"}, {400, 405}),
        case(88, "no-version", {"line": "POST /v1/events"}, {400}),
        case(89, "10-000-headers", {"add": [f"X-{n}: a" for n in range(10_000)]}, {431}),
        case(89, "1-mib-of-headers", {"add": [f"X-Long: {'a' * 1024 * 1024}"]}, {431, 0}),
        case(89, "120-headers", {"add": [f"X-{n}: a" for n in range(120)]}, {431}),
    ],
)
async def test_an_odd_request_is_refused(
    receiver: LiveReceiver, pubsub_host: str, project: str, changes: dict[str, Any], statuses: set[int]
) -> None:
    if "line" in changes:
        changes = changes | {
            "line": str(changes["line"]).format(host=receiver.origin.removeprefix("http://"))
        }
    answer = await talk(receiver, raw(receiver, encode_event(story("odd-run")[0]), **changes))
    assert status_of(answer) in statuses, answer[:300]
    if status_of(answer) == 202:
        assert len(await published(pubsub_host, project)) == 1
    elif answer:
        assert code_of(answer)
    if status_of(answer) != 202:
        await has_no_effect(receiver, pubsub_host, project)


@pytest.mark.parametrize("blocks", [case(80, "chunked-without-end", 64)])
async def test_a_chunked_body_is_cut_off_at_the_cap(
    receiver: LiveReceiver, pubsub_host: str, project: str, blocks: int
) -> None:
    block = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
    head = raw(receiver, b"", leave_out="Content-Length", add=["Transfer-Encoding: chunked"])
    answer = await talk(receiver, head, *[block] * blocks)
    assert (status_of(answer), code_of(answer) if answer else "payload_too_large") in (
        (413, "payload_too_large"),
        (0, "payload_too_large"),
    )
    await has_no_effect(receiver, pubsub_host, project)


@pytest.mark.parametrize("missing", [case(81, "body-never-comes", 10)])
async def test_a_body_that_does_not_come_in_time_is_408(
    receiver: LiveReceiver, pubsub_host: str, project: str, missing: int
) -> None:
    answer = await talk(receiver, raw(receiver, BODY)[:-missing])
    assert (status_of(answer), code_of(answer)) == (408, "request_timeout")
    await has_no_effect(receiver, pubsub_host, project)


@pytest.mark.parametrize(
    "sent",
    [
        case(81, "nothing", b""),
        case(81, "half-a-header", b"POST /v1/events HTTP/1.1\r\nHost: a"),
        case(81, "half-a-line", b"POST /v1"),
    ],
)
async def test_headers_that_do_not_come_in_time_are_408(
    receiver: LiveReceiver, pubsub_host: str, project: str, sent: bytes
) -> None:
    answer = await talk(receiver, sent)
    assert (status_of(answer), code_of(answer)) == (408, "request_timeout")
    await has_no_effect(receiver, pubsub_host, project)


@pytest.mark.parametrize("missing", [case(82, "ends-early", 10)])
async def test_a_body_that_ends_early_burns_nothing(
    receiver: LiveReceiver, pubsub_host: str, project: str, missing: int
) -> None:
    request = raw(receiver, encode_event(story(project)[0]))
    await talk(receiver, request[:-missing], ends=True)
    assert not await published(pubsub_host, project)
    assert status_of(await talk(receiver, request)) == 202


@pytest.mark.parametrize(
    "body",
    [
        case(90, "not-utf-8", BODY.replace(b'"id"', b'"id\xff"')),
        case(90, "not-json", b"{"),
        case(90, "trailing-garbage", BODY + b"x"),
        case(90, "beyond-a-double", BODY.replace(b'"sequence":1', b'"sequence":1,"other":1e999')),
        case(90, "nan", BODY.replace(b'"sequence":1', b'"sequence":NaN')),
        case(90, "member-twice", BODY.replace(b'"sequence":1', b'"sequence":1,"sequence":2')),
        case(90, "10-000-deep", BODY.replace(b'"sequence":1', b'"x":' + b"[" * 10_000 + b"]" * 10_000)),
        case(90, "endless-depth", b"[" * 100_000),
    ],
)
async def test_a_signed_body_that_is_not_json_is_refused(
    receiver: LiveReceiver, pubsub_host: str, project: str, body: bytes
) -> None:
    is_problem(await receiver.post(body, ONE), 400, "malformed_json")
    await has_no_effect(receiver, pubsub_host, project)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        case(91, "wrong-version", {"specversion": "2.0"}, "specversion"),
        case(91, "unknown-type", {"type": "dev.signalbox.run.exploded.v1"}, "type"),
        case(91, "foreign-type", {"type": "com.example.thing.v1"}, "type"),
        case(91, "empty-id", {"id": ""}, "id"),
        case(91, "id-of-2-kb", {"id": "i" * 2048}, "id"),
        case(91, "no-id", {"id": None}, "id"),
        case(91, "data-of-another-type", {"data": {"pipeline": 1}}, "data"),
    ],
)
async def test_a_signed_event_that_breaks_its_contract_is_refused(
    receiver: LiveReceiver, pubsub_host: str, project: str, change: dict[str, Any], field: str
) -> None:
    members = {name: value for name, value in (json.loads(BODY) | change).items() if value is not None}
    answer = await receiver.post(json.dumps(members).encode(), ONE)
    is_problem(answer, 422, "invalid_input")
    assert answer.json()["field"] == field
    await has_no_effect(receiver, pubsub_host, project)


@pytest.mark.parametrize("extension", [case(91, "unknown-member-is-an-extension", "myextension")])
async def test_an_extension_is_ignored_as_cloudevents_asks(receiver: LiveReceiver, extension: str) -> None:
    assert (
        await receiver.post(json.dumps(json.loads(BODY) | {extension: 1}).encode(), ONE)
    ).status_code == 202


@pytest.mark.parametrize("idle", [case(16, "others-flow", 20)])
async def test_slow_connections_do_not_hold_others_up(
    receiver: LiveReceiver, project: str, idle: int
) -> None:
    slow = [asyncio.create_task(talk(receiver, b"POST /v1")) for _ in range(idle)]
    assert (await receiver.post(encode_event(story(project)[0]), ONE)).status_code == 202
    assert {status_of(await each) for each in slow} == {408}
