"""`make demo`, unattended."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from signalbox_devstack.emulators.sample_documents.inbox_files import trap_files
from support.fakes.documents import needs_tesseract


def demo(folder: Path, pipeline: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "signalbox_devstack.demo", pipeline],
        cwd=folder,
        env={**os.environ, "DEMO_YES": "1"},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )


@pytest.mark.timeout(240)
def test_the_ad_creative_demo_saves_at_least_ten_pictures(tmp_path: Path) -> None:
    done = demo(tmp_path, "ad_creative")

    assert done.returncode == 0, done.stdout + done.stderr
    pictures = list((tmp_path / ".state/demo/files").glob("*.png"))
    assert len(pictures) >= 10
    assert all(str(path.relative_to(tmp_path)) in done.stdout for path in pictures)
    assert "What happened" in done.stdout


@needs_tesseract
@pytest.mark.timeout(240)
def test_the_document_batch_demo_reads_the_good_documents_and_reports_every_broken_one(
    tmp_path: Path,
) -> None:
    done = demo(tmp_path, "document_batch")

    assert done.returncode == 0, done.stdout + done.stderr
    assert "18 documents: 14 ok, 4 failed, 0 waiting for a person" in done.stdout
    for trap in trap_files():
        assert f"{trap.name}: " in done.stdout
    assert "The demo answers: kind other" in done.stdout
    assert (tmp_path / ".state/demo/files/documents/long-200-pages-text.pdf/text.txt").read_text().count(
        "\f"
    ) == 199


@pytest.mark.timeout(240)
def test_the_ai_task_demo_reports_the_interrupted_attempt_and_the_model(tmp_path: Path) -> None:
    done = demo(tmp_path, "ai_task")

    assert done.returncode == 0, done.stdout + done.stderr
    assert "attempts: 1 model_cut, 2 answered" in done.stdout
    assert "no language model" in done.stdout
    assert (tmp_path / ".state/demo/files/answer").read_text().startswith("This is a simulated answer.")


@pytest.mark.timeout(240)
def test_the_invoice_import_demo_solves_the_captcha_and_survives_a_rate_limit(tmp_path: Path) -> None:
    done = demo(tmp_path, "invoice_import")

    assert done.returncode == 0, done.stdout + done.stderr
    assert "Type the characters in the picture The demo answers: text " in done.stdout
    assert "333 invoices of 9901000019, 2026-08-01 to 2026-08-31: complete" in done.stdout
    assert "and rate-limited 1 of them." in done.stdout
    assert len((tmp_path / ".state/demo/files/invoices.csv").read_text("utf-8-sig").splitlines()[1:]) == 333


def test_an_unknown_pipeline_is_rejected_with_the_known_ones() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "signalbox_devstack.demo", "nope"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    choices = "ad_creative, ai_task, document_batch, invoice_import"
    assert done.stderr == f"demo: unknown demo 'nope'; choose one of: {choices}\n"
