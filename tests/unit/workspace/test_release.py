"""What a release consists of: reproducible wheels, notes from the changelog, checksums."""

import hashlib
import importlib
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from zipfile import ZipFile

import pytest

ROOT = Path(__file__).resolve().parents[3]
BUILD = "import sys, uv_build; print(uv_build.build_wheel(sys.argv[1]))"


@pytest.fixture
def release(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    return importlib.import_module("release")


def wheel_of(source: Path, to: Path) -> Path:
    to.mkdir()
    command = [sys.executable, "-c", BUILD, str(to)]
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environ = {**os.environ, "PATH": path}
    subprocess.run(command, cwd=source, env=environ, check=True, capture_output=True, timeout=110)
    (wheel,) = to.glob("*.whl")
    return wheel


@pytest.mark.parametrize("package", ["shared/core", "services/gateway"])
def test_equal_sources_give_equal_wheels(package: str, tmp_path: Path) -> None:
    copy = Path(
        shutil.copytree(ROOT / package, tmp_path / "copy", ignore=shutil.ignore_patterns("__pycache__"))
    )
    for number, path in enumerate(sorted(copy.rglob("*"))):
        os.utime(path, (1_000_000_000 + number, 1_000_000_000 + number))

    first, second = (
        wheel_of(source, tmp_path / name) for source, name in ((ROOT / package, "1"), (copy, "2"))
    )

    assert first.name == second.name
    assert hashlib.sha256(first.read_bytes()).digest() == hashlib.sha256(second.read_bytes()).digest()
    with ZipFile(first) as archive:
        assert not [name for name in archive.namelist() if "__pycache__" in name]


CHANGES = "# Changelog\n\n## Unreleased\n\n- new\n\n## 1.1.0\n\n### Upgrading\n1. First.\n\n## 1.0.0\n- old\n"


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        ("1.1.0", "# Signalbox 1.1.0\n\n### Upgrading\n1. First.\n"),
        ("1.0.0", "# Signalbox 1.0.0\n\n- old\n"),
        ("2.0.0", "# Signalbox 2.0.0\n\n- new\n"),
    ],
)
def test_release_notes_are_the_section_of_the_version(
    release: ModuleType, version: str, expected: str
) -> None:
    assert release.release_notes(CHANGES, version) == expected


def test_a_changelog_without_the_section_is_refused(release: ModuleType) -> None:
    with pytest.raises(ValueError, match=r"no section 2\.0\.0"):
        release.release_notes("# Changelog\n\n## Unreleased\n\n## 1.0.0\n- old\n", "2.0.0")


def test_the_changelog_has_notes_that_begin_with_the_upgrade(release: ModuleType) -> None:
    notes = release.release_notes((ROOT / "CHANGELOG.md").read_text(), "9.9.9")
    assert notes.split("\n\n")[1].startswith("### Upgrading")


def test_checksums_cover_every_file_and_are_those_of_sha256sum(release: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "b.whl").write_bytes(b"b")
    (tmp_path / "a.whl").write_bytes(b"a")
    (tmp_path / ".gitignore").write_text("*")
    (tmp_path / "SHA256SUMS").write_text(release.checksums(tmp_path))
    assert [line.split("  ")[1] for line in release.checksums(tmp_path).splitlines()] == ["a.whl", "b.whl"]
    subprocess.run(["sha256sum", "--check", "--quiet", "SHA256SUMS"], cwd=tmp_path, check=True)
