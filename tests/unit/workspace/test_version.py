"""One version number: of every package, the npm package, and what commands and services report."""

import json
import re
import tomllib
from collections.abc import Callable
from importlib.metadata import version

import pytest
from prometheus_client import CollectorRegistry

import signalbox_admin.cli
import signalbox_client.cli
from signalbox_core.http.process_metrics import register_process_metrics
from signalbox_core.redis import OLDEST_REDIS
from support.docs.doc_names import ROOT

RELEASE = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
PROJECTS = [
    tomllib.loads(path.read_text())["project"]
    for folder in ("services", "shared", "compose")
    for path in sorted((ROOT / folder).glob("*/pyproject.toml"))
]
CLIENT = ROOT / "services/gateway/src/signalbox_gateway/web/client/package.json"


def test_every_package_has_the_version_of_the_workspace() -> None:
    assert len(PROJECTS) >= 10
    assert {project["name"]: project["version"] for project in PROJECTS} == {
        project["name"]: RELEASE for project in PROJECTS
    }
    assert json.loads(CLIENT.read_text())["version"] == RELEASE


@pytest.mark.parametrize("page", ["docs/deploy.md", "docs/dev-stack.md", "docs/receiver.md"])
def test_the_oldest_redis_is_the_same_on_every_page(page: str) -> None:
    rows = re.findall(r"^\| `?redis`? \| (.*)$", (ROOT / page).read_text(), re.MULTILINE | re.IGNORECASE)
    needed = ".".join(map(str, OLDEST_REDIS))
    assert any(needed in row for row in rows)


@pytest.mark.parametrize("name", [project["name"] for project in PROJECTS])
def test_an_installed_package_reports_it(name: str) -> None:
    assert version(name) == RELEASE, "run make setup after changing the version"


@pytest.mark.parametrize("main", [signalbox_client.cli.main, signalbox_admin.cli.main])
def test_the_commands_print_it(main: Callable[[list[str]], int], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--version"])

    assert capsys.readouterr().out.split()[-1] == RELEASE


@pytest.mark.parametrize("service", ["gateway", "webhook-receiver", "worker", "autoscaler"])
def test_the_services_report_it_as_a_metric(service: str) -> None:
    registry = CollectorRegistry()
    register_process_metrics(registry, service)

    labels = {"service": service, "version": RELEASE}
    assert registry.get_sample_value("signalbox_build_info", labels) == 1
