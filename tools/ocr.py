"""Make Tesseract with Vietnamese available to the tests that need it, or report why they will be skipped.

Never fails the build.
"""

import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

PACKAGES = ("tesseract-ocr", "tesseract-ocr-eng", "tesseract-ocr-vie", "tesseract-ocr-osd")
LANGUAGES = frozenset({"eng", "vie", "osd"})
TIMEOUT_S = 600


def main() -> int:
    missing = missing_languages()
    if not missing:
        print(f"OCR tests: using {shutil.which('tesseract')}", flush=True)
        return 0
    hindrance = why_not_installed_here()
    if hindrance is None:
        print(
            f"OCR tests: no {missing} on this machine; installing {', '.join(PACKAGES)} with apt-get",
            flush=True,
        )
        hindrance = install()
    if hindrance is None:
        print(f"OCR tests: using {shutil.which('tesseract')}", flush=True)
    else:
        print(
            f"OCR tests will be skipped: {hindrance}. Install {', '.join(PACKAGES)} to run them.", flush=True
        )
    return 0


def missing_languages() -> str:
    """What is not there: the program, or some of its languages; empty when everything is."""
    if shutil.which("tesseract") is None:
        return "Tesseract"
    listed = subprocess.run(
        ["tesseract", "--list-langs"], capture_output=True, text=True, check=False, timeout=30
    ).stdout.split()
    return ", ".join(sorted(LANGUAGES - set(listed)))


def why_not_installed_here() -> str | None:
    """The reason why nothing is installed, or None when it may be."""
    if (
        platform.system() != "Linux"
        or not Path("/etc/debian_version").exists()
        or shutil.which("apt-get") is None
    ):
        return "this is not a Debian-like system where apt-get could install Tesseract"
    if os.geteuid() != 0:
        return f"installing Tesseract needs root (run `apt-get install {' '.join(PACKAGES)}`)"
    return None


def install() -> str | None:
    """Install the packages; the reason when that failed."""
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for arguments in (["update", "-q"], ["install", "-q", "-y", "--no-install-recommends", *PACKAGES]):
        try:
            subprocess.run(
                ["apt-get", *arguments], env=quiet, check=True, timeout=TIMEOUT_S, stdout=subprocess.DEVNULL
            )
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
            return f"`apt-get {arguments[0]}` did not work ({error.__class__.__name__})"
    missing = missing_languages()
    return f"the packages are installed but {missing} is not there" if missing else None


if __name__ == "__main__":
    sys.exit(main())
