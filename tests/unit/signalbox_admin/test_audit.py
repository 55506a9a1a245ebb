"""`signalbox-admin audit`: keys, verification of receipts and of a copy of the log, erasure."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from signalbox_admin.cli import main
from signalbox_core.ledger.layout import LogKeys
from signalbox_core.ledger.log import TenantLog
from signalbox_core.ledger.notes import read_signer
from signalbox_core.ledger.receipts import encode_receipt, read_receipt
from signalbox_core.objects import open_object_store
from signalbox_gateway.changes.change_events import change_event
from signalbox_gateway.changes.difference import TrackedItem, find_differences
from support.fakes.ledger import decided

COUNT = 300
NOW = datetime(2026, 11, 30, 9, 0, tzinfo=UTC)


class Archive:
    """A copy of a tenant's log, two receipts and the public key, as an auditor has them."""

    def __init__(self, folder: Path) -> None:
        self.key = folder / "ledger.pub"
        self.private = folder / "ledger.key"
        self.url = (folder / "objects").as_uri()
        self.log = folder / "objects" / LogKeys("acme co").folder
        self.receipt = folder / "receipt.json"

    @property
    def options(self) -> list[str]:
        return ["--public-key", str(self.key)]

    @property
    def bundle(self) -> Path:
        return self.log / "tile/entries/001.p/44"


@pytest.fixture
async def archive(tmp_path: Path) -> Archive:
    made = Archive(tmp_path)
    key = ["--private", str(made.private), "--public", str(made.key)]
    assert main(["audit", "new-key", "--name", "signalbox.test/ledger", *key]) == 0
    store = open_object_store(made.url)
    log = TenantLog(store, "acme co", [read_signer(made.private)])
    await log.append([decided(f"run-{number:05}") for number in range(COUNT)])
    made.receipt.write_bytes(encode_receipt(await read_receipt(store, "acme co", "run-00280", "publish")))
    return made


def test_a_receipt_and_the_log_are_verified_offline(
    archive: Archive, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    assert main(["audit", "verify", str(archive.receipt), "--log", str(archive.log), *archive.options]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].endswith("receipt.json is entry 280 of signalbox.test/ledger/acme%20co")
    assert lines[1].startswith("  approval.decided of approval publish of run run-00280 at 2026-01-02")
    assert lines[2:] == [
        '  name: "Lan Nguyen"',
        "  answer: true",
        '  reason: "looks right"',
        f"verified: signalbox.test/ledger/acme%20co has {COUNT} entries, as signed",
    ]


def test_a_changed_log_is_refused_and_the_entry_named(
    archive: Archive, capsys: pytest.CaptureFixture[str]
) -> None:
    archive.bundle.write_bytes(archive.bundle.read_bytes().replace(b"run-00280", b"run-00281"))
    assert main(["audit", "verify", "--log", str(archive.log), *archive.options]) == 2
    assert "signalbox.test/ledger/acme%20co: entry 280 was changed" in capsys.readouterr().err


def test_a_changed_receipt_is_refused(archive: Archive, capsys: pytest.CaptureFixture[str]) -> None:
    archive.receipt.write_bytes(archive.receipt.read_bytes().replace(b'"value":true', b'"value":false'))
    assert main(["audit", "verify", str(archive.receipt), *archive.options]) == 2
    assert "the value of 'answer' is not the one that was recorded" in capsys.readouterr().err


def test_another_public_key_verifies_nothing(
    archive: Archive, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = ["--private", str(tmp_path / "other.key"), "--public", str(archive.key)]
    assert main(["audit", "new-key", "--name", "signalbox.test/ledger", *other]) == 0
    assert main(["audit", "verify", str(archive.receipt), *archive.options]) == 2
    assert "the signature of signalbox.test/ledger on the checkpoint is missing" in capsys.readouterr().err


def test_a_required_witness_must_have_signed(
    archive: Archive, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    witness = ["--private", str(tmp_path / "w.key"), "--public", str(tmp_path / "w.pub")]
    assert main(["audit", "new-key", "--name", "witness.test", "--witness", *witness]) == 0
    verify = ["audit", "verify", str(archive.receipt), *archive.options]
    assert main([*verify, "--witness-key", str(tmp_path / "w.pub")]) == 2
    assert "the signature of witness.test on the checkpoint is missing" in capsys.readouterr().err


async def test_the_entries_of_a_log_are_listed_once_it_is_verified(
    archive: Archive, capsys: pytest.CaptureFixture[str]
) -> None:
    item = TrackedItem(tenant="acme co", id="ops", facts={"kind": "human"})
    (added,) = find_differences([], [item])
    event = change_event("api_key.added", "acme co", added, NOW, state="1")
    log = TenantLog(open_object_store(archive.url), "acme co", [read_signer(archive.private)])
    await log.append([event])
    listing = ["audit", "list", "--log", str(archive.log), *archive.options]
    capsys.readouterr()
    assert main([*listing, "--event", "api_key."]) == 0
    assert capsys.readouterr().out == f"entry {COUNT}: api_key.added ops at {NOW.isoformat()}\n"
    assert main(listing) == 0
    assert len(capsys.readouterr().out.splitlines()) == COUNT + 1
    archive.log.joinpath("tile/entries/001.p/45").write_bytes(b"")
    assert main(listing) == 2
    assert capsys.readouterr().out == ""


def test_the_values_of_a_person_are_erased_and_the_log_still_verifies(
    archive: Archive, capsys: pytest.CaptureFixture[str]
) -> None:
    erase = ["audit", "erase", "--objects", archive.url, "--tenant", "acme co", "--person", "Lan Nguyen"]
    assert main([*erase, "--run", "run-00280"]) == 0
    assert "the values of 1 entries would be erased (use --apply)" in capsys.readouterr().out
    assert main([*erase, "--apply"]) == 0
    assert f"the values of {COUNT} entries erased" in capsys.readouterr().out
    assert main([*erase, "--apply"]) == 0
    assert "the values of 0 entries erased" in capsys.readouterr().out
    assert main(["audit", "verify", "--log", str(archive.log), *archive.options]) == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["verify", "--public-key", "absent"], "name a receipt, or a copy of the log"),
        (["verify", "absent.json", "--public-key", "absent.pub"], "cannot read absent.pub"),
        (["erase", "--objects", "memory://", "--tenant", "a"], "name whose values to erase"),
        (["erase", "--objects", "memory://", "--tenant", "a", "--run", "r"], "tenant 'a' has no ledger"),
    ],
)
def test_what_is_missing_is_named(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["audit", *arguments]) == 2
    assert message in capsys.readouterr().err


def test_an_existing_key_is_never_overwritten(archive: Archive, capsys: pytest.CaptureFixture[str]) -> None:
    before = archive.private.read_bytes()
    assert main(["audit", "new-key", "--name", "a", "--private", str(archive.private)]) == 2
    assert "exists already" in capsys.readouterr().err
    assert archive.private.read_bytes() == before
    assert archive.private.stat().st_mode & 0o777 == 0o600
