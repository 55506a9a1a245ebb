"""Generates the blocking client from the asyncio client, by text substitution. Run by `make generate`.

python tools/sync_client.py [--check]    --check fails if the generated file is out of date
"""

import re
import subprocess
import sys
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
PACKAGE: Final = ROOT / "shared/client/src/signalbox_client"
SOURCE: Final = PACKAGE / "asynchronous.py"
TARGET: Final = PACKAGE / "synchronous.py"
RUFF: Final = str(Path(sys.executable).with_name("ruff"))
HEADER: Final = '''# Generated from asynchronous.py by tools/sync_client.py (make generate); do not edit.
"""The blocking client: the same methods as the asyncio client."""
'''
MODULE_DOCSTRING: Final = re.compile(r'\A""".*?"""\n', re.DOTALL)
SUBSTITUTIONS: Final = (
    (r"for asyncio programs", "for synchronous programs"),
    (r"\basync (def|with|for)\b", r"\1"),
    (r"\bawait ", ""),
    (r"\bAsyncGenerator\[(.+), None\]", r"Generator[\1, None, None]"),
    (r"\bAsyncGenerator\b", "Generator"),
    (r"\b(?:httpx2\.)Async(\w+)", r"httpx2.\1"),
    (r"\bAsyncSignalbox\b", "Signalbox"),
    (r"\b__a(enter|exit)__\b", r"__\1__"),
    (r"\.a(close|read)\(", r".\1("),
    (r"\baclosing\b", "closing"),
    (r"\bimport asyncio\b", "import time"),
    (r"\basyncio\.sleep\b", "time.sleep"),
)
LEFTOVER: Final = re.compile(r"\b(async\w*|await|aclose|aread|aclosing|Async\w+)\b")


def generate(source: str) -> str:
    """Translate the asyncio client's source.

    Raises:
        SystemExit: an asyncio construct is left over, which needs a substitution of its own.
    """
    code = MODULE_DOCSTRING.sub("", source)
    for pattern, replacement in SUBSTITUTIONS:
        code = re.sub(pattern, replacement, code)
    if leftover := LEFTOVER.search(code):
        raise SystemExit(f"tools/sync_client.py has no substitution for {leftover[0]!r} in {SOURCE.name}")
    return _ruff("format", "-", source=_ruff("check", "--select=I", "--fix", "-", source=HEADER + code))


def main() -> int:
    generated = generate(SOURCE.read_text())
    if "--check" not in sys.argv[1:]:
        TARGET.write_text(generated)
    elif TARGET.read_text() != generated:
        print(f"{TARGET.relative_to(ROOT)} is out of date: run `make generate`", file=sys.stderr)
        return 1
    return 0


def _ruff(*arguments: str, source: str) -> str:
    command = [RUFF, *arguments, "--quiet", "--stdin-filename", str(TARGET)]
    return subprocess.run(command, input=source, capture_output=True, text=True, check=True, cwd=ROOT).stdout


if __name__ == "__main__":
    sys.exit(main())
