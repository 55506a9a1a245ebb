"""Make a Chromium available to the browser tests, or report why they will be skipped.

Never fails the build.
"""

import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
TIMEOUT_S = 600


def main() -> int:
    found = find_browser()
    if found:
        print(f"browser tests: using {found}", flush=True)
        return 0
    hindrance = why_not_installed_here()
    if hindrance is None:
        print(
            "browser tests: no Chromium on PATH; installing the Debian package `chromium` with apt-get",
            flush=True,
        )
        hindrance = install()
    if hindrance is None:
        print(f"browser tests: using {find_browser()}", flush=True)
    else:
        print(
            f"browser tests will be skipped: {hindrance}. Put one of {', '.join(NAMES)} on PATH to run them.",
            flush=True,
        )
    return 0


def find_browser() -> str | None:
    return next((path for path in map(shutil.which, NAMES) if path), None)


def why_not_installed_here() -> str | None:
    """The reason why nothing is installed, or None when it may be."""
    if (
        platform.system() != "Linux"
        or not Path("/etc/debian_version").exists()
        or shutil.which("apt-get") is None
    ):
        return "no Chromium on PATH, and this is not a Debian-like system where apt-get could install it"
    if os.geteuid() != 0:
        return "no Chromium on PATH, and installing one needs root (run `apt-get install chromium`)"
    return None


def install() -> str | None:
    """Install the package; the reason when that failed."""
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for arguments in (["update", "-q"], ["install", "-q", "-y", "--no-install-recommends", "chromium"]):
        try:
            subprocess.run(
                ["apt-get", *arguments], env=quiet, check=True, timeout=TIMEOUT_S, stdout=subprocess.DEVNULL
            )
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
            return f"`apt-get {arguments[0]}` did not work ({error.__class__.__name__})"
    return None if find_browser() else "the package chromium is installed but brought no command"


if __name__ == "__main__":
    sys.exit(main())
