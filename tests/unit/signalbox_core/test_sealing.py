"""The ring of payload keys: what it seals it opens, also after a rotation; what was changed or lacks its key
is refused."""

from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace
from temporalio.api.common.v1 import Payload
from temporalio.converter import WorkflowSerializationContext

from signalbox_core.crypto.sealing import KeyRing, PayloadKey, PayloadKeyFile, new_payload_key
from signalbox_core.errors import InvalidInput, Unavailable
from signalbox_core.secret import Secret
from signalbox_core.temporal.codec import ENCODING, PLAIN_MARK, SealedPayloads, bind_payloads_to
from signalbox_core.temporal.converter import converter_with


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def write(path: Path, *keys: PayloadKey, active: PayloadKey | None = None) -> Path:
    path.write_bytes(msgspec.json.encode(PayloadKeyFile(active=(active or keys[-1]).id, keys=keys)))
    return path


def test_a_sealed_value_is_unreadable_and_can_be_opened(tmp_path: Path) -> None:
    ring = KeyRing(write(tmp_path / "keys.json", new_payload_key()))

    key_id, sealed = ring.seal(b"hunter2", b"here")
    again = ring.seal(b"hunter2", b"here")[1]

    assert b"hunter2" not in sealed
    assert sealed != again  # a nonce of its own each time
    assert ring.open(key_id, sealed, b"here") == b"hunter2"


def test_changed_bytes_and_another_context_are_refused(tmp_path: Path) -> None:
    ring = KeyRing(write(tmp_path / "keys.json", new_payload_key()))
    key_id, sealed = ring.seal(b"hunter2", b"here")

    for place in range(len(sealed)):
        changed = bytearray(sealed)
        changed[place] ^= 1
        with pytest.raises(Unavailable, match="damaged"):
            ring.open(key_id, bytes(changed), b"here")
    for wrong, context in ((sealed, b"there"), (sealed[:5], b"here"), (b"", b"here")):
        with pytest.raises(Unavailable, match="damaged"):
            ring.open(key_id, wrong, context)


def test_rotated_keys_are_hot_reloaded_and_old_keys_still_decrypt(tmp_path: Path) -> None:
    old, new, clock = new_payload_key(), new_payload_key(), Clock()
    ring = KeyRing(write(tmp_path / "keys.json", old), clock=clock)
    sealed_before = ring.seal(b"before", b"")

    write(tmp_path / "keys.json", old, new)
    assert ring.seal(b"", b"")[0] == old.id  # looked at once a second
    clock.now = 1.5
    sealed_after = ring.seal(b"after", b"")

    assert (sealed_before[0], sealed_after[0]) == (old.id, new.id)
    assert (ring.open(*sealed_before, b""), ring.open(*sealed_after, b"")) == (b"before", b"after")


def test_a_key_that_is_not_there_is_named(tmp_path: Path) -> None:
    old, clock = new_payload_key(), Clock()
    ring = KeyRing(write(tmp_path / "keys.json", old), clock=clock)
    sealed = ring.seal(b"before", b"")
    write(tmp_path / "keys.json", new_payload_key())
    clock.now = 1.5

    with pytest.raises(Unavailable, match=f"payload key {old.id} is not in") as caught:
        ring.open(*sealed, b"")
    assert caught.value.stable_code == "payload_key_missing"


def test_a_broken_file_leaves_the_last_good_keys(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    ring = KeyRing(write(tmp_path / "keys.json", new_payload_key()), clock=clock)
    sealed = ring.seal(b"x", b"")
    (tmp_path / "keys.json").write_text("{")
    clock.now = 1.5

    assert ring.open(*sealed, b"") == b"x"
    assert "file not reloaded" in caplog.text
    assert vars(caplog.records[0])["content"] == "payload keys"


ONE = PayloadKey(id="one", key="AAAA", made_at=new_payload_key().made_at)


@pytest.mark.parametrize(
    ("file", "says"),
    [
        (PayloadKeyFile(active="one", keys=(ONE,)), "payload key one must be 32 bytes"),
        (
            PayloadKeyFile(active="one", keys=(replace(ONE, key="no base64!"),)),
            "payload key one must be 32 bytes",
        ),
        (
            PayloadKeyFile(active="two", keys=(replace(new_payload_key(), id="one"),)),
            "`active` must be one of them",
        ),
        (PayloadKeyFile(active="one", keys=(replace(new_payload_key(), id="one"),) * 2), "an id of its own"),
    ],
)
def test_a_file_that_cannot_seal_stops_the_start_and_shows_no_key(
    tmp_path: Path, file: PayloadKeyFile, says: str
) -> None:
    (tmp_path / "keys.json").write_bytes(msgspec.json.encode(file))

    with pytest.raises(InvalidInput, match=says) as caught:
        KeyRing(tmp_path / "keys.json")
    assert all(key.key not in str(caught.value) + repr(file) for key in file.keys)


def test_an_absent_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"none\.json: No such file"):
        KeyRing(tmp_path / "none.json")


def test_a_fingerprint_depends_on_the_value_and_on_the_key_ring(tmp_path: Path) -> None:
    ring = KeyRing(write(tmp_path / "keys.json", new_payload_key()))
    other = KeyRing(write(tmp_path / "other.json", new_payload_key()))

    assert ring.fingerprint("a") == ring.fingerprint("a")
    assert len({ring.fingerprint("a"), ring.fingerprint("b"), other.fingerprint("a")}) == 3


async def test_the_codec_hides_payloads_names_its_key_and_reads_what_was_in_clear(tmp_path: Path) -> None:
    key = new_payload_key()
    codec = SealedPayloads(KeyRing(write(tmp_path / "keys.json", key)))
    clear = Payload(metadata={"encoding": b"json/plain"}, data=b'"hunter2"')

    (sealed,) = await codec.encode([clear])

    assert b"hunter2" not in sealed.SerializeToString()
    assert dict(sealed.metadata) == {"encoding": b"binary/encrypted", "encryption-key-id": key.id.encode()}
    assert await codec.decode([sealed, clear]) == [clear, clear]


def run_context(run_id: str) -> WorkflowSerializationContext:
    return WorkflowSerializationContext(namespace="default", workflow_id=run_id)


async def test_a_payload_is_bound_to_the_tenant_of_its_run(tmp_path: Path) -> None:
    key = new_payload_key()
    codec = SealedPayloads(KeyRing(write(tmp_path / "keys.json", key)))
    clear = Payload(metadata={"encoding": b"json/plain"}, data=b"1")
    with bind_payloads_to("acme"):
        (of_acme,) = await codec.encode([clear])
    with bind_payloads_to("other"):
        (of_other,) = await codec.encode([clear])
    moved = Payload(metadata={**of_acme.metadata, "signalbox-tenant": of_other.metadata["signalbox-tenant"]})
    moved.data = of_acme.data
    stripped = Payload(
        metadata={"encoding": ENCODING, "encryption-key-id": key.id.encode()}, data=of_acme.data
    )

    assert b"acme" not in of_acme.SerializeToString()
    assert (codec.tenant_of(of_acme), codec.tenant_of(of_other), codec.tenant_of(clear)) == (
        "acme",
        "other",
        None,
    )
    assert await codec.decode([of_acme, of_other]) == [clear, clear]
    for forged in (moved, stripped):
        with pytest.raises(Unavailable, match="damaged"):
            await codec.decode([forged])


async def test_a_worker_takes_the_tenant_from_payloads_that_it_decrypts(tmp_path: Path) -> None:
    path = write(tmp_path / "keys.json", new_payload_key())
    gateway, worker = SealedPayloads(KeyRing(path)), SealedPayloads(KeyRing(path))
    clear = Payload(metadata={"encoding": b"json/plain"}, data=b"1")
    with bind_payloads_to("acme"):
        (started,) = await gateway.encode([clear])

    await worker.with_context(run_context("run-1")).decode([started])
    (known,) = await worker.with_context(run_context("run-1")).encode([clear])
    (unknown,) = await worker.with_context(run_context("run-2")).encode([clear])

    assert (worker.tenant_of(known), worker.tenant_of(unknown)) == ("acme", None)
    assert await gateway.decode([known, unknown]) == [clear, clear]


async def test_only_an_unencrypted_payload_of_a_workflow_is_marked(tmp_path: Path) -> None:
    codec = SealedPayloads(KeyRing(write(tmp_path / "keys.json", new_payload_key())))
    clear = Payload(metadata={"encoding": b"json/plain"}, data=b"1")
    sealed = await codec.encode([clear])

    opened, plain = await codec.with_context(run_context("run-1")).decode([*sealed, clear])

    assert (PLAIN_MARK in opened.metadata, PLAIN_MARK in plain.metadata) == (False, True)


def test_a_sealed_secret_opens_to_its_value(tmp_path: Path) -> None:
    ring = KeyRing(write(tmp_path / "keys.json", new_payload_key()))

    sealed = ring.seal_secret(Secret("hunter2"))

    assert sealed.sealed is not None
    assert "hunter2" not in sealed.sealed
    with pytest.raises(ValueError, match="sealed"):
        sealed.reveal()
    assert ring.open_secret(sealed).reveal() == "hunter2"


async def test_without_payload_keys_an_encrypted_value_is_reported_as_such() -> None:
    payload = Payload(metadata={"encoding": ENCODING}, data=b"sealed")

    with pytest.raises(Unavailable, match="SIGNALBOX_PAYLOAD_KEYS_FILE") as caught:
        await converter_with(None).decode([payload], [str])

    assert caught.value.stable_code == "payload_key_missing"
