"""docs/tutorial.md: `signalbox new`, its blocks applied as they stand, then the tests that they make."""

import asyncio
import re
import sys
from pathlib import Path

import pytest

from signalbox_client.cli import main

TUTORIAL = Path(__file__).parents[3] / "docs" / "tutorial.md"
BLOCK = re.compile(
    r"<!-- (?P<action>file|append|edit|edit everywhere): (?P<path>\S+) -->\n```\w+\n(?P<text>.*?)```",
    re.DOTALL,
)


@pytest.mark.timeout(600)
async def test_the_tutorial_leads_to_a_green_pipeline_whose_recorded_run_replays(tmp_path: Path) -> None:
    folder = tmp_path / "greeting"
    await asyncio.to_thread(main, ["new", "greeting", "--to", str(folder)])

    blocks = list(BLOCK.finditer(TUTORIAL.read_text(encoding="utf-8")))
    assert len(blocks) == 9
    for block in blocks:
        apply(block["action"], tmp_path / block["path"], block["text"])

    output = await run_tests(folder)
    assert "7 passed" in output
    assert "8 passed" in await run_tests(folder), "the run that the tests recorded replays too"


@pytest.mark.timeout(600)
async def test_without_the_guard_the_recorded_run_fails(tmp_path: Path) -> None:
    folder = tmp_path / "greeting"
    await asyncio.to_thread(main, ["new", "greeting", "--to", str(folder)])
    for block in BLOCK.finditer(TUTORIAL.read_text(encoding="utf-8")):
        apply(block["action"], tmp_path / block["path"], block["text"])
    workflow = folder / "src/greeting/workflow.py"
    workflow.write_text(workflow.read_text().replace('workflow.patched("count-words")', "True"))

    output = await run_tests(folder, "-k", "recorded_run", fails=True)

    assert "Nondeterminism" in output


def apply(action: str, path: Path, text: str) -> None:
    """Apply a block: write or extend a file, or replace the lines of a diff, once or everywhere."""
    if action == "file":
        path.write_text(text, encoding="utf-8")
    elif action == "append":
        path.write_text(path.read_text(encoding="utf-8") + text, encoding="utf-8")
    else:
        lines = text.splitlines()
        before = "\n".join(line[1:] for line in lines if line[:1] in "- ")
        after = "\n".join(line[1:] for line in lines if line[:1] in "+ ")
        body = path.read_text(encoding="utf-8")
        assert body.count(before) == 1 or (action == "edit everywhere" and before in body), (path, before)
        path.write_text(body.replace(before, after), encoding="utf-8")


async def run_tests(folder: Path, *arguments: str, fails: bool = False) -> str:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider", *arguments),
        cwd=folder,
        env={"PYTHONPATH": str(folder / "src")},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    assert (process.returncode != 0) is fails, output.decode()
    return output.decode()
