"""The views of the console, by the patterns of its route table, so that a new view cannot be left out."""

from collections.abc import Mapping
from typing import Final

from msgspec import Struct
from playwright.sync_api import Page, expect

from support.drivers.browser import Site
from support.drivers.console import RUN_MS


class View(Struct, frozen=True, kw_only=True):
    """One view.

    Attributes:
        name: for test ids and pictures.
        place: the fragment of its address, with `{run}` (waits for a decision), `{ended}` and `{schedule}`.
        ready: a selector of what is shown once the view is complete.
    """

    name: str
    place: str
    ready: str = "#main h1"


VIEWS: Final[Mapping[str, tuple[View, ...]]] = {
    r"^\/?$": (
        View(name="runs", place="/", ready=".run-line"),
        View(name="no-runs", place="/?q=tag:none", ready=".empty"),
    ),
    r"^\/inbox(?:\/([^/]+)\/([^/]+))?$": (
        View(name="inbox", place="/inbox", ready=".questions .question"),
        View(name="inbox-mine", place="/inbox?view=mine", ready=".questions .question"),
        View(name="no-decisions", place="/inbox?view=decided", ready=".triage-main .empty"),
        View(name="question", place="/inbox/{run}/variants", ready=".approval.open .variant"),
    ),
    r"^\/approvals$": (View(name="approvals", place="/approvals", ready=".questions .question"),),
    r"^\/(?:pipelines|start)$": (View(name="pipelines", place="/pipelines", ready=".pipeline"),),
    r"^\/start\/([^/]+)$": (
        View(name="start-ad", place="/start/ad_creative", ready="form .field"),
        View(name="start-import", place="/start/invoice_import", ready="form .field"),
        View(name="start-batch", place="/start/document_batch", ready="form .field"),
        View(name="start-task", place="/start/ai_task", ready="form .field"),
    ),
    r"^\/runs\/([^/]+)(?:\/([a-z]+))?$": (
        View(name="run", place="/runs/{run}", ready=".approval.open .variant"),
        View(name="run-overview", place="/runs/{ended}/overview", ready=".line-step"),
        View(name="run-timeline", place="/runs/{run}/timeline", ready=".in-timeline li"),
        View(name="run-events", place="/runs/{run}/events", ready=".log-line"),
        View(name="run-files", place="/runs/{run}/files", ready=".in-files a"),
        View(name="run-result", place="/runs/{ended}/result", ready=".in-result pre"),
        View(name="run-decisions", place="/runs/{run}/decisions", ready=".approval.open .variant"),
    ),
    r"^\/passkeys$": (View(name="passkeys", place="/passkeys", ready="h1:text-is('Passkeys')"),),
    r"^\/schedules$": (View(name="schedules", place="/schedules", ready=".schedule"),),
    r"^\/schedules\/new$": (View(name="new-schedule", place="/schedules/new", ready="form .field"),),
    r"^\/schedules\/([^/]+)$": (
        View(name="schedule", place="/schedules/{schedule}", ready=".schedule-parts .panel"),
    ),
    r"^\/schedules\/([^/]+)\/backfill$": (
        View(name="backfill", place="/schedules/{schedule}/backfill", ready="form .field"),
    ),
    r"^\/activity$": (
        View(name="activity", place="/activity", ready=".entry"),
        View(name="no-activity", place="/activity?actor=nobody-of-this-name", ready=".empty"),
    ),
    r"^\/system$": (View(name="system", place="/system", ready=".system .data"),),
    r"^\/autoscaler$": (View(name="autoscaler", place="/autoscaler", ready="[role=slider]"),),
}


def all_views() -> list[View]:
    return [view for views in VIEWS.values() for view in views]


def open_view(page: Page, site: Site, view: View, ids: Mapping[str, str]) -> None:
    """Go to a view and wait until it is complete and its typeface is loaded."""
    page.goto(f"{site.origin}/#{view.place.format(**ids)}")
    page.locator("#main:not([aria-busy])").wait_for()
    expect(page.locator(view.ready).first).to_be_visible(timeout=RUN_MS)
    page.evaluate("document.fonts.ready.then(() => true)")
