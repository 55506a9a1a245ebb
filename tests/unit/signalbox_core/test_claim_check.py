"""Large payloads go to the object store, in the folder of their tenant, and come back verified."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from temporalio.api.common.v1 import Payload
from temporalio.converter import WorkflowSerializationContext
from temporalio.exceptions import ApplicationError

from signalbox_core.crypto.sealing import KeyRing
from signalbox_core.errors import InvalidInput, SignalboxError, Unavailable
from signalbox_core.temporal.claim_check import (
    INLINE_MAX_BYTES,
    MAX_VALUE_BYTES,
    THRESHOLD_BYTES,
    ClaimCheck,
    ClaimCheckCodec,
    is_claim_check,
    max_value_bytes,
    payload_tenant,
    read_claim_check,
)
from signalbox_core.temporal.codec import SealedPayloads, bind_payloads_to, is_encrypted
from signalbox_core.temporal.converter import converter_with
from signalbox_core.testing.objects import FakeObjectStore
from support.fakes.payload_keys import payload_keys_file

LARGE = Payload(metadata={"encoding": b"json/plain"}, data=b'"' + b"x" * 300_000 + b'"')
SMALL = Payload(metadata={"encoding": b"json/plain"}, data=b'"x"')


def codec_of(
    objects: FakeObjectStore, workflow_id: str = "acme:run-1", sealing: SealedPayloads | None = None
) -> ClaimCheckCodec:
    context = WorkflowSerializationContext(namespace="default", workflow_id=workflow_id)
    return ClaimCheckCodec(objects, sealing).with_context(context)


class FailingStore(FakeObjectStore):
    """Fails as often as `failures` says, then works."""

    def __init__(self, failures: int, code: str | None = None) -> None:
        super().__init__()
        self.failures = failures
        self.calls = 0
        self._code = code

    async def replace(self, key: str, body: bytes, media_type: str) -> None:
        self._fail()
        await super().replace(key, body, media_type)

    async def get(self, key: str) -> bytes:
        self._fail()
        return await super().get(key)

    def _fail(self) -> None:
        self.calls += 1
        if self.calls <= self.failures:
            raise Unavailable("the object store failed", code=self._code)


async def test_a_large_payload_is_stored_under_its_digest_and_a_small_one_is_not() -> None:
    objects = FakeObjectStore()
    codec = codec_of(objects)

    small, claim = await codec.encode([SMALL, LARGE])
    (again,) = await codec.encode([LARGE])

    assert small == SMALL
    assert read_claim_check(claim).key.startswith("payloads/acme/run-1/")
    assert (list(objects.bodies), claim.ByteSize() < 300) == ([read_claim_check(claim).key], True)
    assert read_claim_check(again) == read_claim_check(claim)
    assert await codec.decode([small, claim]) == [SMALL, LARGE]


async def test_a_payload_that_is_stored_again_is_young() -> None:
    objects = FakeObjectStore()
    codec = codec_of(objects)
    (claim,) = await codec.encode([LARGE])
    key = read_claim_check(claim).key
    objects.modified_at[key] = datetime(2020, 1, 1, tzinfo=UTC)

    assert await codec.encode([LARGE]) == [claim]

    assert datetime.now(UTC) - objects.modified_at[key] < timedelta(minutes=1)


@pytest.mark.parametrize(
    ("workflow_id", "folder"),
    [
        pytest.param("a%2Fb:run-1", "payloads/a%2Fb/run-1/", id="tenant-with-a-slash"),
        pytest.param("old-run", "payloads/~/old-run/", id="run-of-an-older-release"),
        pytest.param("acme:run-1/analytics", "payloads/acme/~", id="workflow-beside-a-run"),
    ],
)
async def test_the_key_names_tenant_and_workflow(workflow_id: str, folder: str) -> None:
    objects = FakeObjectStore()
    codec = codec_of(objects, workflow_id)

    (claim,) = await codec.encode([LARGE])

    assert read_claim_check(claim).key.startswith(folder)
    assert await codec.decode([claim]) == [LARGE]


async def test_the_tenant_of_the_caller_is_used_where_no_workflow_is_known() -> None:
    codec = ClaimCheckCodec(FakeObjectStore(), None)

    with bind_payloads_to("acme"):
        (claim,) = await codec.encode([LARGE])

    assert payload_tenant(codec, claim) == "acme"
    assert await codec.decode([claim]) == [LARGE]


async def test_a_sealed_payload_is_stored_encrypted(tmp_path: Path) -> None:
    objects = FakeObjectStore()
    codec = codec_of(objects, sealing=SealedPayloads(KeyRing(payload_keys_file(tmp_path))))

    with bind_payloads_to("acme"):
        (claim,) = await codec.encode([LARGE])

    (body,) = objects.bodies.values()
    assert is_encrypted(Payload.FromString(body))
    assert b"xxxx" not in body
    assert await codec.decode([claim]) == [LARGE]


async def test_a_claim_check_of_another_tenant_is_not_followed() -> None:
    objects = FailingStore(failures=0)
    (claim,) = await codec_of(objects, "other:run-1").encode([LARGE])
    calls = objects.calls

    (refused,) = await codec_of(objects, "acme:run-1").decode([claim])

    assert is_claim_check(refused)
    assert objects.calls == calls
    with pytest.raises(ApplicationError, match="another tenant") as caught:
        converter_with(None, objects).payload_converter.from_payloads([refused], [str])
    assert (caught.value.type, caught.value.non_retryable) == ("tenant_mismatch", True)


async def test_a_payload_sealed_for_another_tenant_is_refused_in_the_own_folder(tmp_path: Path) -> None:
    ring = KeyRing(payload_keys_file(tmp_path))
    objects = FakeObjectStore()
    codec = codec_of(objects, sealing=SealedPayloads(ring))
    with bind_payloads_to("other"):
        (foreign,) = await SealedPayloads(ring).encode([LARGE])
    with bind_payloads_to("acme"):
        (moved,) = await ClaimCheckCodec(objects, None).encode([foreign])

    with pytest.raises(Unavailable) as caught:
        await codec.decode([moved])

    assert caught.value.stable_code == "payload_damaged"


async def test_a_changed_object_is_detected() -> None:
    objects = FakeObjectStore()
    codec = codec_of(objects)
    (claim,) = await codec.encode([LARGE])
    key = read_claim_check(claim).key
    objects.bodies[key] = objects.bodies[key].replace(b"xx", b"xy", 1)

    with pytest.raises(Unavailable, match="was changed") as caught:
        await codec.decode([claim])

    assert caught.value.stable_code == "payload_damaged"


async def test_a_missing_object_is_an_error_that_is_retried() -> None:
    objects = FakeObjectStore()
    codec = codec_of(objects)
    (claim,) = await codec.encode([LARGE])
    objects.bodies.clear()

    with pytest.raises(Unavailable, match="restore it") as caught:
        await codec.decode([claim])

    assert caught.value.stable_code == "payload_missing"


@pytest.mark.parametrize(
    "data",
    [
        b"{",
        b"\xff",
        b'{"key": "uploads/acme/x", "size_bytes": 1}',
        msgspec.json.encode(ClaimCheck(key="payloads/acme/run-1/../../uploads/" + "0" * 64, size_bytes=1)),
    ],
    ids=["not-json", "not-utf-8", "another-folder", "parent-folder"],
)
async def test_a_forged_claim_check_reads_nothing(data: bytes) -> None:
    objects = FailingStore(failures=0)
    forged = Payload(metadata={"encoding": b"json/claim-check"}, data=data)

    with pytest.raises(Unavailable) as caught:
        await codec_of(objects).decode([forged])

    assert (caught.value.stable_code, objects.calls) == ("payload_damaged", 0)


async def test_short_failures_of_the_object_store_are_waited_for() -> None:
    objects = FailingStore(failures=1)
    codec = codec_of(objects)

    (claim,) = await codec.encode([LARGE])

    assert await codec.decode([claim]) == [LARGE]


@pytest.mark.parametrize(("code", "calls"), [(None, 3), ("storage_full", 1)], ids=["down", "full"])
async def test_a_failing_object_store_is_reported_as_unavailable(code: str | None, calls: int) -> None:
    objects = FailingStore(failures=9, code=code)

    with pytest.raises(Unavailable):
        await codec_of(objects).encode([LARGE])

    assert objects.calls == calls


async def test_a_value_beyond_the_limit_is_refused_with_the_remedy() -> None:
    too_large = Payload(metadata={"encoding": b"json/plain"}, data=b"x" * (MAX_VALUE_BYTES + 100_000))

    with pytest.raises(InvalidInput, match=r"20\.1 MB, and at most 20\.0 MB .* deps\.objects") as caught:
        await codec_of(FakeObjectStore()).encode([too_large])

    assert caught.value.stable_code == "value_too_large"


async def test_a_process_without_an_object_store_reports_what_it_lacks() -> None:
    (claim,) = await codec_of(FakeObjectStore()).encode([LARGE])

    with pytest.raises(SignalboxError, match="give it the store") as caught:
        await converter_with(None).decode([claim], [str])

    assert caught.value.stable_code == "object_store_missing"


def test_the_limit_depends_on_the_codec() -> None:
    assert max_value_bytes(converter_with(None).payload_codec) == INLINE_MAX_BYTES
    assert max_value_bytes(converter_with(None, FakeObjectStore()).payload_codec) == MAX_VALUE_BYTES
    assert THRESHOLD_BYTES < INLINE_MAX_BYTES


def test_a_context_shares_the_converters_and_gets_a_codec_of_its_own() -> None:
    converter = converter_with(None, FakeObjectStore())
    bound = converter.with_context(WorkflowSerializationContext("default", "acme:run-1"))
    assert bound.payload_converter is converter.payload_converter
    assert bound.failure_converter is converter.failure_converter
    assert bound.payload_codec is not converter.payload_codec
    assert isinstance(bound, type(converter))
