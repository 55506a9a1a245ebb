"""Task queues, workers and API keys on the system page, by role."""

from playwright.sync_api import Page, expect

from support.drivers.axe import axe_violations
from support.drivers.browser import Site, WatchedPage
from support.drivers.console import faults_of
from support.drivers.console_api import ConsoleApi

QUEUES = {
    "queues": [
        {"queue": "ads", "activities": 40, "workflow_tasks": 2, "oldest_s": 75.0, "pollers": 3,
         "polled_at": "2026-01-01T10:05:00Z"},
        {"queue": "batch", "activities": 0, "workflow_tasks": 0, "oldest_s": 0.0, "pollers": 0,
         "polled_at": None},
    ]
}  # fmt: skip
WORKERS = {
    "workers": [
        {"identity": "7@host", "queue": "ads", "host": "host", "build": "workers.2026-11-30",
         "status": "stopping", "slots": 8, "used": 5, "started_at": None,
         "heartbeat_at": "2026-01-01T10:05:00Z"}
    ]
}  # fmt: skip
KEYS = {
    "keys": [
        {"id": "k1", "name": "Lan", "kind": "human", "roles": ["admin"], "created_at": None,
         "expires_at": None},
        {"id": "k2", "name": "CI", "kind": "service", "roles": ["operator"],
         "created_at": "2025-01-01T10:05:00Z", "expires_at": "2025-06-01T10:05:00Z"},
    ]
}  # fmt: skip
SHOW = """async (roles) => {
    localStorage.setItem("signalbox.session", JSON.stringify({ roles }));
    const { systemPage } = await import("/console/js/system/page.js");
    const page = await systemPage();
    document.body.append(page.element);
    page.close();
}"""


def show(modules: Page, gateway: ConsoleApi, *roles: str) -> None:
    gateway.give("GET destinations", {"destinations": []})
    gateway.give("GET system/queues", QUEUES)
    gateway.give("GET api-keys", KEYS)
    modules.route("http://console.test/readyz", lambda route: route.fulfill(json={"status": "ok"}))
    modules.evaluate(SHOW, list(roles))
    modules.unroute("http://console.test/readyz")


def cells(page: Page, table: str) -> list[list[str]]:
    rows = page.get_by_role("table", name=table).locator("tbody tr").all()
    return [[text.strip() for text in row.locator("th, td").all_inner_texts()] for row in rows]


def test_an_operator_of_the_deployment_sees_queues_and_workers(modules: Page, gateway: ConsoleApi) -> None:
    gateway.give("GET system/workers", WORKERS)
    show(modules, gateway, "deployment_operator")

    ads, batch = cells(modules, "Task queues")
    assert ads[:4] == ["ads", "42", "1 min 15 s", "3"]
    assert batch == ["batch", "0", "–", "0", "–"]
    ((worker, *rest),) = cells(modules, "Workers")
    assert (worker, rest[:3]) == ("7@host stopping", ["ads", "workers.2026-11-30", "5 of 8"])
    expect(modules.get_by_role("region", name="API keys", exact=True)).to_have_count(0)


def test_a_server_that_does_not_list_its_workers_is_named_beside_the_queues(
    modules: Page, gateway: ConsoleApi
) -> None:
    detail = "Temporal does not list its workers: the server must be 1.31 or newer"
    gateway.give("GET system/workers", {"status": 503, "code": "workers_not_listed", "detail": detail}, 503)
    show(modules, gateway, "deployment_operator")

    expect(modules.get_by_role("region", name="Workers", exact=True)).to_contain_text(detail)
    assert len(cells(modules, "Task queues")) == 2


def test_an_admin_sees_the_keys_of_the_tenant_only(modules: Page, gateway: ConsoleApi) -> None:
    show(modules, gateway, "admin")

    first, second = cells(modules, "API keys")
    assert first == ["Lan k1", "human", "admin", "–", "never"]
    assert second[:3] == ["CI k2", "service", "operator"]
    assert second[4].startswith("expired ")
    for table in ("Task queues", "Workers"):
        expect(modules.get_by_role("region", name=table, exact=True)).to_have_count(0)


def test_the_page_is_accessible_and_scrolls_only_in_its_tables(
    signed_in: Page, site: Site, watched: WatchedPage
) -> None:
    page = signed_in
    for path, body in (("system/queues", QUEUES), ("system/workers", WORKERS), ("api-keys", KEYS)):
        page.route(f"**/v1/{path}", lambda route, _, body=body: route.fulfill(json=body))
    page.goto(f"{site.origin}/#/system")
    expect(page.get_by_role("table", name="API keys")).to_be_visible()

    assert faults_of(page, watched, "system") == []
    assert axe_violations(page) == []
