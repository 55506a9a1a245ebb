"""Make programs that some tests need available, or print why these tests are skipped.

Never fails the build.
"""

import shutil
import sys
from pathlib import Path
from typing import Final

from apt import install, why_not_installable

TESTS: Final = {
    "proxy tests": {"nginx": "nginx-light", "haproxy": "haproxy"},
    "dashboard tests": {"prometheus": "prometheus"},
    "clock tests": {"/usr/lib/*/faketime/libfaketimeMT.so.1": "libfaketime"},
}
"""For each kind of tests, what they need and the Debian package that has it."""


def main() -> int:
    missing = {name: missing_packages(needed) for name, needed in TESTS.items()}
    packages = sorted(package for listed in missing.values() for package in listed)
    if packages:
        print(f"tests: installing {', '.join(packages)} with apt-get", flush=True)
    hindrance = why_not_installable(packages) or install(packages) if packages else None
    for name, listed in missing.items():
        if listed and hindrance is not None:
            remedy = f"Install {', '.join(listed)} to run them."
            print(f"{name} will be skipped: {hindrance}. {remedy}", flush=True)
        else:
            print(f"{name}: all programs are installed", flush=True)
    return 0


def missing_packages(needed: dict[str, str]) -> list[str]:
    """The packages of programs and files that are not there."""
    return [package for name, package in needed.items() if not is_installed(name)]


def is_installed(name: str) -> bool:
    """Whether a program is on PATH, or a file matches a pattern."""
    return any(Path("/").glob(name[1:])) if name.startswith("/") else shutil.which(name) is not None


if __name__ == "__main__":
    sys.exit(main())
