"""Install Debian packages that some tests need, where that is possible."""

import os
import platform
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

TIMEOUT_S = 600


def why_not_installable(packages: Sequence[str]) -> str | None:
    """The reason why apt-get cannot install the packages here; None when it can."""
    if (
        platform.system() != "Linux"
        or not Path("/etc/debian_version").exists()
        or shutil.which("apt-get") is None
    ):
        return "this is not a Debian-like system with apt-get"
    if os.geteuid() != 0:
        return f"installing needs root (run `apt-get install {' '.join(packages)}`)"
    return None


def install(packages: Sequence[str]) -> str | None:
    """Install the packages; returns the reason when that failed."""
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for arguments in (["update", "-q"], ["install", "-q", "-y", "--no-install-recommends", *packages]):
        try:
            subprocess.run(
                ["apt-get", *arguments], env=quiet, check=True, timeout=TIMEOUT_S, stdout=subprocess.DEVNULL
            )
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
            return f"`apt-get {arguments[0]}` failed ({error.__class__.__name__})"
    return None
