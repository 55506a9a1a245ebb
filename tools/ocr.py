"""Make Tesseract with Vietnamese available to the tests that need it, or report why they will be skipped.

Never fails the build.
"""

import shutil
import subprocess
import sys

from apt import install, why_not_installable

PACKAGES = ("tesseract-ocr", "tesseract-ocr-eng", "tesseract-ocr-vie", "tesseract-ocr-osd")
LANGUAGES = frozenset({"eng", "vie", "osd"})


def main() -> int:
    missing = missing_languages()
    if not missing:
        print(f"OCR tests: using {shutil.which('tesseract')}", flush=True)
        return 0
    hindrance = why_not_installable(PACKAGES)
    if hindrance is None:
        print(
            f"OCR tests: no {missing} on this machine; installing {', '.join(PACKAGES)} with apt-get",
            flush=True,
        )
        hindrance = install(PACKAGES)
        if hindrance is None and (missing := missing_languages()):
            hindrance = f"the packages are installed but {missing} is not there"
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


if __name__ == "__main__":
    sys.exit(main())
