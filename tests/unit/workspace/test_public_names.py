"""Names that others depend on stay: paths, members, events, variables, metrics, Temporal names, commands,
Redis keys."""

import subprocess
import sys
from pathlib import Path

import pytest

TOOL = Path(__file__).resolve().parents[3] / "tools" / "public_names.py"
sys.path.insert(0, str(TOOL.parent))
import public_names  # noqa: E402  - the path to it is added above

SNAPSHOT = {"commands": ["signalbox", "signalbox rewind"], "redis": ["signalbox:gaps"]}
NOW = {"commands": ["signalbox", "signalbox watch"], "redis": ["signalbox:gaps"], "client": ["Signalbox"]}


@pytest.mark.timeout(300)
def test_no_public_name_was_removed() -> None:
    """A process of its own: the tool imports every module, and the whole is compared."""
    result = subprocess.run(
        [sys.executable, str(TOOL)], capture_output=True, text=True, check=False, timeout=280
    )
    assert result.returncode == 0, result.stderr


def test_a_removed_name_is_named_with_its_group() -> None:
    assert public_names.missing(SNAPSHOT, NOW) == ["commands: signalbox rewind"]


def test_a_group_that_is_gone_misses_all_its_names() -> None:
    assert public_names.missing(SNAPSHOT, {"commands": SNAPSHOT["commands"]}) == ["redis: signalbox:gaps"]


def test_an_update_adds_new_names_and_drops_none() -> None:
    assert public_names.merged(SNAPSHOT, NOW) == {
        "commands": ["signalbox", "signalbox rewind", "signalbox watch"],
        "redis": ["signalbox:gaps"],
        "client": ["Signalbox"],
    }
