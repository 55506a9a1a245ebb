"""The example in docs/writing-pipelines.md works: it is written to files and its own test is run."""

import asyncio
import re
import sys
from pathlib import Path

DOCS = Path(__file__).parents[3] / "docs" / "writing-pipelines.md"
FILE = re.compile(r"<!-- file: (?P<name>\S+) -->\n```python\n(?P<code>.*?)```", re.DOTALL)


async def test_the_example_of_the_docs_runs_as_it_stands(tmp_path: Path) -> None:
    files = {found["name"]: found["code"] for found in FILE.finditer(DOCS.read_text(encoding="utf-8"))}
    assert sorted(files) == [
        "test_welcome.py",
        "welcome/activities.py",
        "welcome/contract.py",
        "welcome/workflow.py",
    ]
    for name, code in {
        **files,
        "welcome/__init__.py": '"""Welcomes."""\n',
        "pytest.ini": "[pytest]\nasyncio_mode = auto\nasyncio_default_fixture_loop_scope = function\n",
    }.items():
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(code, encoding="utf-8")

    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider", "test_welcome.py"),
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()

    assert process.returncode == 0, said.decode()
    assert b"3 passed" in said
