"""What the repository promises about itself."""

import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "tools"))

MAX_LINES = 300
TRACKED = subprocess.run(
    ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
).stdout.split()


def test_the_event_page_is_up_to_date() -> None:
    import events_doc

    assert events_doc.PAGE.read_text() == events_doc.page(), "run make docs"


@pytest.mark.parametrize(
    "name", ["dev", "bootstrap", "gateway", "webhook-receiver", "worker", "autoscaler", "admin"]
)
def test_every_lock_pins_with_hashes_and_holds_no_address(name: str) -> None:
    text = (ROOT / f"requirements/{name}.lock").read_text()
    pinned = re.findall(r"^[a-z0-9][^=\s]*==[^\s]+.*\\$", text, re.MULTILINE)
    assert pinned
    assert len(pinned) == len(re.findall(r"^[a-z0-9]", text, re.MULTILINE)), "a requirement without a hash"
    assert "://" not in text


def test_a_lock_with_an_address_is_found(tmp_path: Path) -> None:
    import locks

    (tmp_path / "x.lock").write_text("--index-url https://example.org/simple\n")
    assert locks.addresses(tmp_path) == ["requirements/x.lock holds an address; run make lock"]


def test_locks_of_services_leave_out_what_they_do_not_use() -> None:
    def names(lock: str) -> set[str]:
        return {
            line.split("==")[0]
            for line in (ROOT / f"requirements/{lock}.lock").read_text().splitlines()
            if re.match("[a-z0-9]", line)
        }

    assert "temporalio" not in names("webhook-receiver")
    assert "google-cloud-pubsub" not in names("autoscaler")
    assert not {"pillow", "selectolax"} & names("gateway")


def test_no_folder_holds_more_than_twenty_modules() -> None:
    counts = Counter(
        str(Path(name).parent)
        for name in TRACKED
        if "/src/" in name and name.endswith(".py") and "__init__" not in name
    )

    assert [folder for folder, count in counts.items() if count > 20] == []


def test_no_module_outgrows_the_limit() -> None:
    long = [
        name
        for name in TRACKED
        if name.endswith(".py") and not name.startswith("tests/") and lines(name) > MAX_LINES
    ]
    assert long == []


def lines(name: str) -> int:
    path = ROOT / name
    return len(path.read_text().splitlines()) if path.exists() else 0


def test_every_relative_link_of_the_docs_leads_somewhere() -> None:
    pages = [ROOT / name for name in TRACKED if name.endswith(".md") and (ROOT / name).exists()]
    dead = [
        f"{page.relative_to(ROOT)}: {target}"
        for page in pages
        for target in re.findall(r"\]\((?!https?://|#|mailto:)([^)#\s]+)", page.read_text())
        if not (page.parent / target).exists()
    ]
    assert dead == []
