"""Signed notes are those of golang.org/x/mod/sumdb/note; a checkpoint needs every required signature."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from signalbox_core.errors import InvalidInput, InvalidSignature
from signalbox_core.ledger.merkle import EMPTY_ROOT
from signalbox_core.ledger.notes import (
    Checkpoint,
    new_signer,
    open_checkpoint,
    parse_checkpoint,
    parse_verifier,
    read_signer,
    sign_checkpoint,
)

NOW = datetime(2026, 11, 30, tzinfo=UTC)
LOG, WITNESS = new_signer("signalbox.test/ledger"), new_signer("witness.test", use="witness")
CHECKPOINT = Checkpoint(origin="signalbox.test/ledger/acme", size=7, root=EMPTY_ROOT)
# The example of golang.org/x/mod/sumdb/note.
SECRET = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"
PUBLIC = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
TEXT = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
SIGNATURE = (
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJn"
    "AM=\n"
)


def test_the_example_of_the_go_package_is_reproduced(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(SECRET)
    signer = read_signer(tmp_path / "key")
    assert signer.verifier == parse_verifier(PUBLIC)
    assert (signer.verifier.text, signer.private_text) == (PUBLIC, SECRET)
    assert signer.sign(TEXT, NOW) == SIGNATURE


def test_a_signed_checkpoint_is_read_back() -> None:
    note = sign_checkpoint(CHECKPOINT, [LOG, WITNESS], NOW)
    assert open_checkpoint(note, [LOG.verifier, WITNESS.verifier]) == CHECKPOINT
    assert parse_checkpoint(note) == CHECKPOINT


def test_a_required_signature_must_be_there_and_match() -> None:
    note = sign_checkpoint(CHECKPOINT, [LOG], NOW)
    with pytest.raises(InvalidSignature, match=r"of witness\.test on the checkpoint is missing"):
        open_checkpoint(note, [LOG.verifier, WITNESS.verifier])
    with pytest.raises(InvalidSignature, match=r"of signalbox\.test/ledger on the checkpoint does not match"):
        open_checkpoint(note.replace("\n7\n", "\n8\n"), [LOG.verifier])
    with pytest.raises(InvalidSignature, match="is missing"):
        open_checkpoint(note, [new_signer("signalbox.test/ledger").verifier])


def test_a_witness_signs_the_time_too() -> None:
    note = sign_checkpoint(CHECKPOINT, [WITNESS], NOW)
    later = sign_checkpoint(CHECKPOINT, [WITNESS], NOW.replace(hour=1))
    assert open_checkpoint(note, [WITNESS.verifier]) == open_checkpoint(later, [WITNESS.verifier])
    assert note != later


@pytest.mark.parametrize(
    "note",
    ["", "\n\n", "a\n1\n", "a\nx\nAAAA\n\n", "a\n1\nAAAA\n\n", "\n1\n" + "A" * 43 + "=\n\n", "a\n1\n\nhello"],
)
def test_a_malformed_note_is_refused(note: str) -> None:
    with pytest.raises(InvalidInput, match="not a signed note"):
        open_checkpoint(note, [LOG.verifier])


@pytest.mark.parametrize("key", ["", "a", "a+b+c", PUBLIC.replace("c74f", "c74e"), PUBLIC[:-4]])
def test_a_malformed_public_key_is_refused(key: str) -> None:
    with pytest.raises(InvalidInput, match=r"name\+id\+key"):
        parse_verifier(key)


def test_a_file_that_is_not_a_private_key_is_named(tmp_path: Path) -> None:
    (tmp_path / "ledger.pub").write_text(PUBLIC)
    with pytest.raises(InvalidInput, match=r"ledger\.pub is not a ledger key"):
        read_signer(tmp_path / "ledger.pub")
    with pytest.raises(InvalidInput, match="cannot read the ledger key"):
        read_signer(tmp_path / "absent")
    with pytest.raises(InvalidInput, match="without spaces"):
        new_signer("two words")
