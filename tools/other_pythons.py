"""Run the workflow tests on the other supported Python versions that this machine has.

Workflow code must behave, and replay, the same on each: `asyncio` differs between them.
`python tools/other_pythons.py` creates `.venv-<version>` from the lock and runs the tests there; a version
that is not installed is reported and skipped.
"""

import os
import subprocess
import sys
from pathlib import Path

from setup import PACKAGES, ROOT, run

SUPPORTED = ("3.11", "3.12")
TESTS = ("tests/integration/pipeline", "tests/integration/histories", "tests/unit/signalbox_core")
UV = str(Path(sys.executable).parent / "uv")


def main() -> int:
    """Return 0 when every version that is installed passed."""
    own = f"{sys.version_info.major}.{sys.version_info.minor}"
    failed = [version for version in SUPPORTED if version != own and not passes(version)]
    return 1 if failed else 0


def passes(version: str) -> bool:
    interpreter = find(version)
    if interpreter is None:
        print(f"Python {version} is not installed: workflow tests on {version} are skipped", flush=True)
        return True
    python = ROOT / f".venv-{version}" / "bin/python"
    install(interpreter, python)
    print(f"workflow tests on Python {version}", flush=True)
    # The first error of each test is enough; `-p no:cacheprovider` keeps the main run's cache.
    command = (str(python), "-m", "pytest", "-q", "-n", "2", "-p", "no:cacheprovider", *TESTS)
    return subprocess.run(command, cwd=ROOT, check=False).returncode == 0


def find(version: str) -> str | None:
    command = (UV, "python", "find", "--no-python-downloads", "--system", version)
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    if found.returncode == 0:
        return found.stdout.strip()
    # pyenv puts shims on PATH that refuse to run; its interpreters lie in a folder of their own.
    root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    return next(map(str, sorted(root.glob(f"versions/{version}.*/bin/python{version}"))), None)


def install(interpreter: str, python: Path) -> None:
    if not python.exists():
        run(UV, "venv", "--quiet", "--python", interpreter, str(python.parent.parent))
    target = ("--python", str(python), "--quiet")
    run(UV, "pip", "sync", *target, "--require-hashes", "requirements/dev.lock")
    # The build backend that installs the packages is in the bootstrap lock.
    run(UV, "pip", "install", *target, "--require-hashes", "-r", "requirements/bootstrap.lock")
    editable = [word for package in PACKAGES for word in ("-e", package)]
    run(UV, "pip", "install", *target, "--no-deps", "--no-build-isolation", *editable)


if __name__ == "__main__":
    sys.exit(main())
