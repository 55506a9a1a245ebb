"""`make demo`, as it runs where nobody sits at a terminal."""

import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.timeout(240)
def test_the_demo_ends_well_with_at_least_ten_pictures(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "signalbox_devstack.demo", "ad_creative"],
        cwd=tmp_path, env={**os.environ, "DEMO_YES": "1"}, capture_output=True, text=True, timeout=200, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    pictures = list((tmp_path / ".state/demo/pictures").glob("*.png"))
    assert len(pictures) >= 10
    assert all(str(path.relative_to(tmp_path)) in done.stdout for path in pictures)
    assert "What happened" in done.stdout


def test_a_pipeline_without_a_demo_is_one_line_with_those_that_have_one() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "signalbox_devstack.demo", "nope"], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 2
    assert done.stderr == "demo: no demo of 'nope'; there are demos of: ad_creative\n"
