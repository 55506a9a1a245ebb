"""Make fonts for all scripts available to the tests of ads, or report why they will be skipped.

Never fails the build.
"""

import sys
from pathlib import Path

from apt import install, why_not_installable
from PIL import features

FOLDER = Path("/usr/share/fonts")
FILES = {"fonts-noto-cjk": "NotoSansCJK-Bold.ttc", "fonts-noto-color-emoji": "NotoColorEmoji.ttf"}


def main() -> int:
    missing = missing_packages()
    if not missing:
        print("Font tests: all fonts are installed", flush=True)
        return 0
    hindrance = why_not_installable(missing)
    if hindrance is None:
        print(f"Font tests: installing {', '.join(missing)} with apt-get", flush=True)
        hindrance = install(missing)
    if hindrance is not None:
        print(f"Some font tests will be skipped: {hindrance}. Install {', '.join(missing)} to run them.")
    return 0


def missing_packages() -> list[str]:
    """The Debian packages that are not installed: fonts, and the library that Pillow shapes text with."""
    missing = [package for package, name in FILES.items() if not any(FOLDER.rglob(name))]
    return missing if features.check("raqm") else [*missing, "libfribidi0"]


if __name__ == "__main__":
    sys.exit(main())
