"""The runs that a run started, and the one that started it, as links on its page."""

from collections.abc import Mapping

from playwright.sync_api import Page, expect

SHOW = """async (snapshot) => {
  const { ChildRunList, ParentLink } = await import("/console/js/run/children.js");
  const list = new ChildRunList(), parent = new ParentLink();
  document.body.replaceChildren(parent.element, list.element);
  list.update(snapshot);
  parent.update(snapshot);
}"""


def snapshot(status: str = "running", **overrides: object) -> Mapping[str, object]:
    children = [
        {
            "run_id": "buy-1.quote-a",
            "pipeline": "quote",
            "title": "Quote",
            "step": None,
            "status": "completed",
        },
        {"run_id": "buy-1.quote-b", "pipeline": "quote", "title": "Quote", "step": None, "status": "running"},
    ]
    return {"status": status, "parent": None, "children": children, **overrides}


def test_every_child_is_a_link_with_its_status(modules: Page) -> None:
    modules.evaluate(SHOW, snapshot())

    items = modules.get_by_role("listitem")
    expect(items).to_have_count(2)
    expect(items.first.get_by_role("link")).to_have_attribute("href", "#/runs/buy-1.quote-a")
    expect(items.first).to_contain_text("Completed")
    expect(items.last).to_contain_text("Running")


def test_after_its_end_a_run_does_not_claim_that_a_child_is_running(modules: Page) -> None:
    modules.evaluate(SHOW, snapshot("completed"))

    expect(modules.get_by_role("listitem").last).not_to_contain_text("Running")


def test_a_run_without_children_shows_its_parent_only(modules: Page) -> None:
    modules.evaluate(SHOW, snapshot(children=[], parent="buy-1"))

    expect(modules.get_by_role("link", name="buy-1")).to_have_attribute("href", "#/runs/buy-1")
    expect(modules.get_by_role("heading", name="Runs it started")).to_be_hidden()
