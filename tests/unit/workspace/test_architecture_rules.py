"""Every import rule can fail: each is given a module that breaks it, in a copy of the sources."""

import configparser
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
SOURCES = sorted(path for kind in ("shared", "services", "compose") for path in (ROOT / kind).glob("*/src"))

BREAKS = [
    pytest.param(
        "Services and libraries are layers",
        "signalbox_core/breaks.py",
        "import signalbox_pipelines",
        id="core imports pipelines",
    ),
    pytest.param(
        "Services and libraries are layers",
        "signalbox_gateway/breaks.py",
        "import signalbox_worker",
        id="service imports service",
    ),
    pytest.param(
        "Services and libraries are layers",
        "signalbox_worker/breaks.py",
        "import signalbox_devstack",
        id="service imports devstack",
    ),
    pytest.param(
        "Layers of core:",
        "signalbox_core/errors.py",
        "import signalbox_core.events",
        id="lower layer imports upper",
    ),
    pytest.param(
        "Layers of core:",
        "signalbox_core/streams/breaks.py",
        "import signalbox_core.pubsub",
        id="modules of one layer",
    ),
    pytest.param(
        "Only gateway, worker and devstack",
        "signalbox_client/breaks.py",
        "import signalbox_pipelines",
        id="client imports pipelines",
    ),
    pytest.param(
        "The gateway loads no workflow",
        "signalbox_gateway/breaks.py",
        "import signalbox_pipelines.ad_creative.workflow",
        id="gateway imports a workflow",
    ),
    pytest.param(
        "A contract reaches no client library",
        "signalbox_pipelines/ad_creative/contract.py",
        "import temporalio",
        id="contract imports temporalio",
    ),
    pytest.param("Layers of core:", "signalbox_core/stray.py", "", id="core module in no layer"),
    pytest.param(
        "Layers of core.pipeline",
        "signalbox_core/pipeline/activity/breaks.py",
        "import signalbox_core.pipeline.workflow.run",
        id="activity side imports workflow side",
    ),
    pytest.param(
        "Layers of core.pipeline", "signalbox_core/pipeline/stray.py", "", id="pipeline module in no layer"
    ),
    pytest.param(
        "Layers of the gateway",
        "signalbox_gateway/http/breaks.py",
        "import signalbox_gateway.auth.principal",
        id="gateway http imports auth",
    ),
    pytest.param(
        "Layers of the gateway",
        "signalbox_gateway/streaming/breaks.py",
        "import signalbox_gateway.api.routes",
        id="gateway streaming imports api",
    ),
    pytest.param("Layers of the gateway", "signalbox_gateway/stray.py", "", id="gateway module in no layer"),
    pytest.param(
        "Layers of the autoscaler",
        "signalbox_autoscaler/sizing/breaks.py",
        "import signalbox_autoscaler.actuate.executor",
        id="sizing imports actuate",
    ),
    pytest.param(
        "Layers of the autoscaler", "signalbox_autoscaler/stray.py", "", id="autoscaler module in no layer"
    ),
    pytest.param(
        "Pipelines do not import each other",
        "signalbox_pipelines/other/contract.py",
        "import signalbox_pipelines.ad_creative",
        id="pipeline imports pipeline",
    ),
]


DRAWN = [
    pytest.param("core-layers", "**Core**", id="core"),
    pytest.param("gateway-layers", "**Gateway**", id="gateway"),
    pytest.param("autoscaler-layers", "**Autoscaler**", id="autoscaler"),
]


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sources")
    for source in SOURCES:
        shutil.copytree(
            source,
            folder,
            dirs_exist_ok=True,
            ignore=shutil.ignore_patterns("__pycache__", "static", "*.egg-info"),
        )
    shutil.copy(ROOT / ".importlinter", folder)
    return folder


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    code = f"import sys; sys.path.insert(0, {str(folder)!r}); sys.argv = ['lint-imports', '--no-cache']; "
    code += "from importlinter.cli import lint_imports_command as main; main()"
    return subprocess.run(
        [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=False
    )


def layers(contract: str) -> set[str]:
    """The modules that a contract of .importlinter divides into layers."""
    rules = configparser.ConfigParser()
    rules.read(ROOT / ".importlinter")
    return set(re.findall(r"\w+", rules[f"importlinter:contract:{contract}"]["layers"]))


@pytest.mark.parametrize(("contract", "title"), DRAWN)
def test_the_architecture_page_lists_every_module_of_the_layers(contract: str, title: str) -> None:
    page = (ROOT / "docs/architecture.md").read_text()
    _, _, table = page.partition(f"\n{title}")
    table, _, _ = table.partition("\n**")
    missing = [
        name
        for name in sorted(layers(contract) - {"__main__"})
        if f"`{name}/`" not in table and f"`{name}.py`" not in table
    ]
    assert not missing, f"{missing}: add them to the table of {title} in docs/architecture.md"


def test_the_sources_as_they_are_keep_every_rule(sources: Path) -> None:
    done = lint(sources)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(("rule", "module", "line"), BREAKS)
def test_a_module_that_breaks_a_rule_fails_it(sources: Path, rule: str, module: str, line: str) -> None:
    path = sources / module
    before = path.read_text() if path.exists() else None
    made = [] if path.parent.exists() else [path.parent]
    path.parent.mkdir(exist_ok=True)
    if made:
        (path.parent / "__init__.py").write_text("")
    path.write_text(f"{line}\n" + (before or ""))
    try:
        done = lint(sources)
    finally:
        if before is None:
            path.unlink()
        else:
            path.write_text(before)
        for folder in made:
            shutil.rmtree(folder)
    broken = [text for text in done.stdout.splitlines() if text.endswith("BROKEN") or " BROKEN" in text]
    assert done.returncode == 1, done.stdout
    assert any(text.startswith(rule) for text in broken), done.stdout
