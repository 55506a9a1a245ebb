"""`make demo`, as it runs where nobody sits at a terminal."""

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
        cwd=folder, env={**os.environ, "DEMO_YES": "1"}, capture_output=True, text=True, timeout=200, check=False,
    )  # fmt: skip


@pytest.mark.timeout(240)
def test_the_demo_ends_well_with_at_least_ten_pictures(tmp_path: Path) -> None:
    done = demo(tmp_path, "ad_creative")

    assert done.returncode == 0, done.stdout + done.stderr
    pictures = list((tmp_path / ".state/demo/files").glob("*.png"))
    assert len(pictures) >= 10
    assert all(str(path.relative_to(tmp_path)) in done.stdout for path in pictures)
    assert "What happened" in done.stdout


@needs_tesseract
@pytest.mark.timeout(240)
def test_the_demo_of_a_batch_reads_the_good_papers_and_names_every_trap(tmp_path: Path) -> None:
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
def test_the_demo_of_a_task_shows_an_attempt_that_broke_off_and_says_what_answered(tmp_path: Path) -> None:
    done = demo(tmp_path, "ai_task")

    assert done.returncode == 0, done.stdout + done.stderr
    assert "attempts: 1 model_cut, 2 answered" in done.stdout
    assert "no language model" in done.stdout
    assert (tmp_path / ".state/demo/files/answer").read_text().startswith("This is a simulated answer.")


@pytest.mark.timeout(240)
def test_the_demo_of_an_import_asks_its_captcha_waits_for_a_busy_portal_and_adds_up(tmp_path: Path) -> None:
    done = demo(tmp_path, "invoice_import")

    assert done.returncode == 0, done.stdout + done.stderr
    assert "Type the characters in the picture The demo answers: text " in done.stdout
    assert "333 invoices of 9901000019, 2026-08-01 to 2026-08-31: complete" in done.stdout
    assert "it asked for quiet 1 time." in done.stdout
    assert len((tmp_path / ".state/demo/files/invoices.csv").read_text("utf-8-sig").splitlines()[1:]) == 333


def test_a_pipeline_without_a_demo_is_one_line_with_those_that_have_one() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "signalbox_devstack.demo", "nope"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert (
        done.stderr
        == "demo: no demo of 'nope'; there are demos of: ad_creative, ai_task, document_batch, invoice_import\n"
    )
