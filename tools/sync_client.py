"""Generates the blocking client from the asyncio client, by text substitution. Run by `make generate`.

python tools/sync_client.py [--check]    --check fails if a generated file is out of date
"""

import re
import subprocess
import sys
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
PACKAGE: Final = ROOT / "shared/client/src/signalbox_client"
MODULES: Final = {
    "asynchronous.py": ("synchronous.py", "The blocking client: the same methods as the asyncio client."),
    "async_run_control.py": (
        "sync_run_control.py",
        "Controls runs through the API. The base of the blocking client.",
    ),
    "async_approvals.py": (
        "sync_approvals.py",
        "Lists, decides and proves approvals through the API. A base of the blocking client.",
    ),
    "async_schedules.py": (
        "sync_schedules.py",
        "Manages schedules through the API. A base of the blocking client.",
    ),
    "async_connection.py": ("sync_connection.py", "The HTTP connection of the blocking client."),
}
"""Each asyncio module, with the generated module and its docstring."""
RUFF: Final = str(Path(sys.executable).with_name("ruff"))
HEADER: Final = "# Generated from {source} by tools/sync_client.py (make generate); do not edit."
MODULE_DOCSTRING: Final = re.compile(r'\A""".*?"""\n', re.DOTALL)
SUBSTITUTIONS: Final = (
    (r"for asyncio programs", "for synchronous programs"),
    (r"\basync (def|with|for)\b", r"\1"),
    (r"\bawait ", ""),
    (r"\bAsyncGenerator\[(.+), None\]", r"Generator[\1, None, None]"),
    (r"\bAsyncGenerator\b", "Generator"),
    (r"\b(?:httpx2\.)Async(\w+)", r"httpx2.\1"),
    (r"\bAsyncSignalbox\b", "Signalbox"),
    (r"\bAsyncGatewayConnection\b", "GatewayConnection"),
    (r"\bAsyncRunControl\b", "RunControl"),
    (r"\basync_run_control\b", "sync_run_control"),
    (r"\bAsyncApprovalMethods\b", "ApprovalMethods"),
    (r"\basync_approvals\b", "sync_approvals"),
    (r"\bAsyncScheduleMethods\b", "ScheduleMethods"),
    (r"\basync_schedules\b", "sync_schedules"),
    (r"\basync_connection\b", "sync_connection"),
    (r"\b__a(enter|exit)__\b", r"__\1__"),
    (r"\.a(close|read)\(", r".\1("),
    (r"\baclosing\b", "closing"),
    (r"\bimport asyncio\b", "import time"),
    (r"\basyncio\.sleep\b", "time.sleep"),
)
LEFTOVER: Final = re.compile(r"\b(async\w*|await|aclose|aread|aclosing|Async\w+)\b")


def generate(source: Path) -> str:
    """Translate one module of the asyncio client.

    Raises:
        SystemExit: an asyncio construct has no substitution.
    """
    header = HEADER.format(source=source.name)
    code = f'{header}\n"""{MODULES[source.name][1]}"""\n{translate(source.read_text())}'
    return _ruff("format", "-", source=_ruff("check", "--select=I", "--fix", "-", source=code))


def translate(source: str) -> str:
    code = MODULE_DOCSTRING.sub("", source)
    for pattern, replacement in SUBSTITUTIONS:
        code = re.sub(pattern, replacement, code)
    if leftover := LEFTOVER.search(code):
        raise SystemExit(f"tools/sync_client.py has no substitution for {leftover[0]!r}")
    return code


def main() -> int:
    outdated = False
    for name, (target_name, _) in MODULES.items():
        generated, target = generate(PACKAGE / name), PACKAGE / target_name
        if "--check" not in sys.argv[1:]:
            target.write_text(generated)
        elif target.read_text() != generated:
            print(f"{target.relative_to(ROOT)} is out of date: run `make generate`", file=sys.stderr)
            outdated = True
    return int(outdated)


def _ruff(*arguments: str, source: str) -> str:
    command = [RUFF, *arguments, "--quiet", "--stdin-filename", str(PACKAGE / "generated.py")]
    return subprocess.run(command, input=source, capture_output=True, text=True, check=True, cwd=ROOT).stdout


if __name__ == "__main__":
    sys.exit(main())
