"""The link from a run to its executions in Temporal's UI."""

from collections.abc import Mapping

import pytest
from playwright.sync_api import Page

URL = "https://temporal.test/namespaces/default/workflows?query=WorkflowId%3D%22acme%3A{run_id}%22"
PIPELINE: Mapping[str, object] = {"plain": False}


@pytest.mark.parametrize(
    ("url", "snapshot", "expected"),
    [
        pytest.param(URL, PIPELINE, URL.replace("{run_id}", "run-1"), id="linked"),
        pytest.param(None, PIPELINE, None, id="no-ui-or-no-operator"),
        pytest.param(URL, {"plain": True}, None, id="a-workflow-of-other-code"),
        pytest.param("javascript:alert(1)//{run_id}", PIPELINE, None, id="no-address"),
    ],
)
def test_a_run_links_to_its_executions(
    modules: Page, url: str | None, snapshot: Mapping[str, object], expected: str | None
) -> None:
    found = modules.evaluate(
        """async ([url, snapshot]) => {
            localStorage.setItem("signalbox.session", JSON.stringify({ roles: [], temporal_run_url: url }));
            const { temporalLink } = await import("/console/js/run/temporal-link.js");
            const link = temporalLink("run-1", snapshot);
            localStorage.clear();
            return link && [link.href, link.textContent, link.target, link.rel.includes("noreferrer")];
        }""",
        [url, snapshot],
    )
    assert found == (None if expected is None else [expected, "Open in Temporal", "_blank", True])
