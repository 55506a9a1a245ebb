"""Export requirements/*.lock: hashes for every platform, no index or download address.

Committed pins are kept; `--upgrade` takes the newest releases. `--check` fails when a lock is stale.
"""

import json
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCKS = {
    "gateway": ("--package", "signalbox-gateway"),
    "webhook-receiver": ("--package", "signalbox-webhook-receiver"),
    "worker": ("--package", "signalbox-worker"),
    "autoscaler": ("--package", "signalbox-autoscaler"),
    "admin": ("--package", "signalbox-admin"),
    "dev": ("--only-group", "dev"),
    "bootstrap": ("--only-group", "bootstrap"),
}
ADDRESS = re.compile(r"https?://|--(extra-)?index-url|--find-links")


def main(arguments: list[str]) -> int:
    if "--check" in arguments:
        problems = [*addresses(ROOT / "requirements"), *stale()]
        print("\n".join(problems), file=sys.stderr, end="\n" if problems else "")
        return 1 if problems else 0
    try:
        locks = resolved(keep=set()) if "--upgrade" in arguments else resolved(keep=committed_pins())
    except subprocess.CalledProcessError:
        print("the committed pins no longer fit (see above); run make lock ARGS=--upgrade", file=sys.stderr)
        return 1
    for name, text in locks.items():
        (ROOT / "requirements" / f"{name}.lock").write_text(text)
    return 0


def addresses(folder: Path) -> list[str]:
    """Locks that hold a download or index address."""
    return [
        f"requirements/{lock.name} holds an address; run make lock"
        for lock in sorted(folder.glob("*.lock"))
        if ADDRESS.search(lock.read_text())
    ]


def stale() -> list[str]:
    """Locks that differ from what the pyproject files resolve to when every committed pin is kept.

    A newer release upstream is no reason to fail; a requirement that was added, dropped or outgrew its pin
    is.
    """
    try:
        found = resolved(keep=committed_pins())
    except subprocess.CalledProcessError:
        return ["requirements/dev.lock no longer satisfies the pyproject files (see above); run make lock"]
    return [
        f"requirements/{name}.lock is stale ({', '.join(sorted(pins(text) ^ committed)[:4])}); run make lock"
        for name, text in found.items()
        if pins(text) != (committed := pins((ROOT / "requirements" / f"{name}.lock").read_text()))
    ]


def committed_pins() -> set[str]:
    return pins((ROOT / "requirements/dev.lock").read_text())


def resolved(*, keep: set[str]) -> dict[str, str]:
    """The text of every lock, resolved in a copy of the pyproject files with the given pins kept."""
    with tempfile.TemporaryDirectory() as scratch:
        copy = Path(scratch)
        for project in (Path("."), *members()):
            (copy / project).mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / project / "pyproject.toml", copy / project)
        constrain(copy / "pyproject.toml", keep)
        uv(copy, "lock", "--quiet")
        return exported(copy)


def members() -> list[Path]:
    return sorted(
        path.parent.relative_to(ROOT)
        for kind in ("shared", "services", "compose")
        for path in (ROOT / kind).glob("*/pyproject.toml")
    )


def constrain(project: Path, requirements: set[str]) -> None:
    listed = ", ".join(json.dumps(requirement) for requirement in sorted(requirements))
    project.write_text(
        project.read_text().replace("[tool.uv]\n", f"[tool.uv]\nconstraint-dependencies = [{listed}]\n")
    )


def pins(text: str) -> set[str]:
    return {line.rstrip("\\ ").strip() for line in text.splitlines() if re.match(r"[a-z0-9].*==", line)}


def exported(folder: Path) -> dict[str, str]:
    options = (
        "--quiet",
        "--frozen",
        "--no-emit-workspace",
        "--no-header",
        "--no-annotate",
        "--format",
        "requirements-txt",
    )
    return {name: uv(folder, "export", *options, *selection) for name, selection in LOCKS.items()}


def uv(folder: Path, *arguments: str) -> str:
    command = [str(ROOT / ".venv/bin/uv"), *arguments]
    return subprocess.run(command, cwd=folder, check=True, text=True, stdout=subprocess.PIPE).stdout


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
