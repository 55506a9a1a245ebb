"""Make .venv from the hash-pinned locks. Needs only Python 3.11+; every package's hash is checked."""

import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PACKAGES = (
    "shared/core",
    "shared/pipelines",
    "shared/client",
    "shared/admin",
    "services/gateway",
    "services/webhook-receiver",
    "services/worker",
    "services/autoscaler",
    "compose/devstack",
    "compose/simulator",
)


def main() -> int:
    if sys.version_info < (3, 11):  # noqa: UP036  an old interpreter can still parse this file
        print(
            f"Signalbox needs Python 3.11 or newer; this is {sys.version.split()[0]}. "
            "Try: make setup PYTHON=python3.11",
            file=sys.stderr,
        )
        return 2
    if not (VENV / "bin/python").exists():
        print("setup: creating .venv", flush=True)
        venv.create(VENV, with_pip=True, clear=True)
    print("setup: installing the locked packages (the first time takes about a minute)", flush=True)
    python, uv = str(VENV / "bin/python"), str(VENV / "bin/uv")
    run(
        python,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--require-hashes",
        "-r",
        "requirements/bootstrap.lock",
    )
    target = ("--python", python, "--quiet")
    run(uv, "pip", "sync", *target, "--require-hashes", "requirements/dev.lock")
    editable = [word for package in PACKAGES for word in ("-e", package)]
    run(uv, "pip", "install", *target, "--no-deps", "--no-build-isolation", *editable)
    (VENV / ".ready").touch()
    print("setup: ready", flush=True)
    return 0


def run(*command: str) -> None:
    subprocess.run(command, cwd=ROOT, check=True)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except subprocess.CalledProcessError as error:
        print(
            f"setup failed at: {' '.join(error.cmd)}\n"
            "Check that a Python package index is reachable, then run make setup again.",
            file=sys.stderr,
        )
        sys.exit(1)
