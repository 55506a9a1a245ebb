"""Build what a release consists of: wheels, the npm package, the release notes and checksums.

`python tools/release.py --to DIR`. Equal sources give equal bytes. The images are built from the Dockerfiles
(docs/deploy.md).
"""

import argparse
import hashlib
import re
import tomllib
from pathlib import Path
from typing import Final

import npm_package
import wheels
from setup import PACKAGES, ROOT

UNRELEASED: Final = "Unreleased"
NOTES, SUMS = "RELEASE_NOTES.md", "SHA256SUMS"


def release_notes(changelog: str, version: str) -> str:
    """The section of a version, or of what is not released yet while the version has none.

    Raises:
        ValueError: the changelog has neither.
    """
    sections = dict(re.findall(r"^## ([^\n]+)\n(.*?)(?=^## |\Z)", changelog, re.MULTILINE | re.DOTALL))
    body = next((sections[name] for name in (version, UNRELEASED) if sections.get(name, "").strip()), None)
    if body is None:
        raise ValueError(f"CHANGELOG.md has no section {version} and no section {UNRELEASED}")
    return f"# Signalbox {version}\n\n{body.strip()}\n"


def checksums(folder: Path) -> str:
    """One line for each file, as `sha256sum --check` reads them."""
    files = sorted(path for path in folder.iterdir() if path.name != SUMS and not path.name.startswith("."))
    return "".join(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in files)


def main() -> None:
    parser = argparse.ArgumentParser(
        allow_abbrev=False, description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--to", type=Path, default=ROOT / "dist", metavar="DIR", help="default: dist")
    folder: Path = parser.parse_args().to
    folder.mkdir(parents=True, exist_ok=True)
    for pattern in ("signalbox*.whl", "signalbox-client-*.tgz", NOTES, SUMS):
        for path in folder.glob(pattern):
            path.unlink()
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    wheels.build([ROOT / package for package in PACKAGES], folder)
    (folder / f"signalbox-client-{version}.tgz").write_bytes(npm_package.pack())
    notes = release_notes((ROOT / "CHANGELOG.md").read_text(), version)
    (folder / NOTES).write_text(notes)
    (folder / SUMS).write_text(checksums(folder))
    for path in sorted(folder.iterdir()):
        print(path)


if __name__ == "__main__":
    main()
