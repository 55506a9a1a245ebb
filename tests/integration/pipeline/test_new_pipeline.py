"""`signalbox new` writes a pipeline whose tests pass as they stand, recorded run included."""

import asyncio
import shutil
import sys
from pathlib import Path

import pytest

from signalbox_client.cli import main

ROOT = Path(__file__).parents[3]
SETTINGS = "[pytest]\nasyncio_mode = auto\nasyncio_default_fixture_loop_scope = function\n"


@pytest.mark.timeout(600)
async def test_a_new_package_is_green_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "acme-greeting"

    await asyncio.to_thread(main, ["new", "acme_greeting", "--to", str(folder)])

    assert "pip install --no-deps --no-build-isolation -e ." in capsys.readouterr().out
    assert (folder / "src/acme_greeting/py.typed").exists()
    output = await run_tests(folder, folder / "src", "tests")
    assert "4 passed" in output


@pytest.mark.timeout(600)
async def test_a_new_pipeline_in_tree_is_green_at_once_and_in_the_style_of_the_repository(
    tmp_path: Path,
) -> None:
    package = tmp_path / "shared/pipelines/src/signalbox_pipelines"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (tmp_path / "pytest.ini").write_text(SETTINGS)
    shutil.copy(ROOT / "ruff.toml", tmp_path)

    await asyncio.to_thread(main, ["new", "greeting", "--in-tree", "--to", str(tmp_path)])

    assert (tmp_path / "tests/histories/greeting/approved.json").exists()
    output = await run_tests(tmp_path, package.parent, "tests/integration/greeting")
    assert "4 passed" in output
    ruff = str(Path(sys.executable).parent / "ruff")
    # Which imports are the repository's own, and thus their order, shows only in a whole checkout.
    await succeeds(ruff, "check", "--no-cache", "--extend-ignore", "I001", cwd=tmp_path)
    await succeeds(ruff, "format", "--check", "--no-cache", cwd=tmp_path)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param(("Greeting",), "is not a pipeline name", id="name"),
        pytest.param(("greeting", "--in-tree"), "has no shared/pipelines/src/signalbox_pipelines", id="tree"),
    ],
)
def test_what_cannot_be_written_is_refused_with_the_remedy(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], message: str
) -> None:
    assert main(["new", *arguments, "--to", str(tmp_path / "new")]) == 2

    assert message in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


def test_an_existing_file_is_never_overwritten(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "README.md").write_text("mine")

    assert main(["new", "greeting", "--to", str(tmp_path)]) == 2

    assert "README.md exists" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["README.md"]


async def run_tests(folder: Path, source: Path, tests: str) -> str:
    command = (sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider", tests)
    return await succeeds(*command, cwd=folder, environ={"PYTHONPATH": str(source)})


async def succeeds(*command: str, cwd: Path, environ: dict[str, str] | None = None) -> str:
    process = await asyncio.create_subprocess_exec(
        *command, cwd=cwd, env=environ, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()
    return output.decode()
