"""The wheels in an environment of their own: the dev stack runs a pipeline of a package of its own.

Without a network: third-party packages are those of the environment that runs this test, through a .pth file.
Its own Signalbox packages are editable installs, which a .pth file does not pass on.
"""

import json
import os
import subprocess
import sys
import sysconfig
import time
import venv
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LONG_S = 300


class Environment:
    """A virtual environment with the wheels, and a stack that it runs.

    Args:
        folder: for the environment, the wheels and the stack's state.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.bin = folder / "venv/bin"
        self.environ = {
            "PATH": f"{self.bin}{os.pathsep}{sysconfig.get_path('scripts')}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(folder),
        }

    def run(self, program: str, *arguments: str, **extra: str) -> str:
        done = subprocess.run(
            [str(self.bin / program), *arguments],
            cwd=self.folder,
            env={**self.environ, **extra},
            capture_output=True,
            text=True,
            timeout=LONG_S,
            check=False,
        )
        assert done.returncode == 0, f"{program} {' '.join(arguments)}: {done.stdout}{done.stderr}"
        return done.stdout

    def wait_for_approval(self, run_id: str, stack: dict[str, str]) -> None:
        deadline = time.monotonic() + LONG_S
        while run_id not in self.run("signalbox", "approvals", "--json", **stack):
            assert time.monotonic() < deadline, "the run has not asked"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    folder = tmp_path_factory.mktemp("installed")
    environment = Environment(folder)
    venv.create(folder / "venv", with_pip=False)
    uv, python = str(Path(sys.executable).parent / "uv"), str(environment.bin / "python")
    wheels = folder / "wheels"
    subprocess.run([sys.executable, str(ROOT / "tools/wheels.py"), "--to", str(wheels)], check=True)
    install = (uv, "pip", "install", "--quiet", "--offline", "--no-deps", "--python", python)
    subprocess.run([*install, *map(str, sorted(wheels.glob("*.whl")))], check=True)
    own = environment.run("python", "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip()
    Path(own, "third_party.pth").write_text(sysconfig.get_path("purelib"))
    environment.run("signalbox", "new", "acme_greeting", "--to", "acme-greeting")
    subprocess.run(
        [
            *(uv, "build", "--wheel", "--quiet", "--offline", "--no-build-isolation"),
            *("--python", sys.executable, "--out-dir", str(folder / "own"), str(folder / "acme-greeting")),
        ],
        check=True,
    )
    subprocess.run([*install, *map(str, (folder / "own").glob("*.whl"))], check=True)
    return environment


@pytest.fixture
def stack(installed: Environment) -> Iterator[dict[str, str]]:
    state = ("--state-dir", str(installed.folder / "state"))
    up = ("up", *state, "--ports", "auto", "--only", "gateway,worker,receiver", "--headless", "--detach")
    installed.run("signalbox-dev", *up)
    try:
        endpoints = json.loads((installed.folder / "state/endpoints.json").read_text())
        yield {
            "SIGNALBOX_URL": endpoints["gateway"],
            "SIGNALBOX_API_KEY": endpoints["api_keys"]["admin"],
        }
    finally:
        installed.run("signalbox-dev", "down", *state)


def test_every_package_of_the_environment_is_a_typed_wheel(installed: Environment) -> None:
    code = (
        "import importlib, pathlib, sys\n"
        "for name in sys.argv[1:]:\n"
        "    path = pathlib.Path(importlib.import_module(name).__file__).parent\n"
        "    assert (path / 'py.typed').exists(), path\n"
        "    assert path.is_relative_to(sys.prefix), path\n"
    )
    names = ("core", "pipelines", "client", "admin", "gateway", "webhook_receiver", "worker", "autoscaler")
    packages = [f"signalbox_{name}" for name in (*names, "devstack", "simulator")]

    installed.run("python", "-c", code, *packages, "acme_greeting")


@pytest.mark.timeout(2 * LONG_S)
def test_the_stack_of_the_wheels_runs_a_pipeline_of_a_package_of_its_own(
    installed: Environment, stack: dict[str, str]
) -> None:
    offered = json.loads(installed.run("signalbox", "pipelines", "--json", **stack))
    assert "acme_greeting" in [item["name"] for item in offered]

    started = json.loads(
        installed.run("signalbox", "start", "acme_greeting", "--text", "good morning", "--json", **stack)
    )
    run_id = started["run_id"]
    installed.wait_for_approval(run_id, stack)
    answer = json.dumps({"approve": True})
    installed.run("signalbox", "decide", run_id, "publish", "--answer", answer, "--json", **stack)
    installed.run("signalbox", "watch", run_id, "--json", **stack)

    shown = json.loads(installed.run("signalbox", "show", run_id, "--json", **stack))
    assert shown["status"] == "completed"
    assert shown["result"] == {"draft": "Good morning", "published": True}
