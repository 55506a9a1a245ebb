"""Browser tabs of a page that uses the browser client, and the streams that they have open."""

from collections.abc import Sequence

from playwright.sync_api import BrowserContext, Page, Request, Route

from support.drivers.browser import Site

WATCH = """async ({ origin, key, runs, options }) => {
  const { Signalbox } = await import(`${origin}/client/signalbox.js`);
  const signalbox = new Signalbox(key ? { apiKey: key } : {});
  const seen = { states: [], events: {}, snapshots: {}, ended: [], denied: [], errors: [], resets: [] };
  window.seen = seen;
  const handlers = {
    state: (state) => seen.states.push(state),
    snapshot: (run) => { seen.snapshots[run.run_id] = (seen.snapshots[run.run_id] ?? 0) + 1; },
    event: (event) => (seen.events[event.runid] ??= []).push(event.sequence),
    reset: (run) => seen.resets.push(run),
    end: (run) => seen.ended.push(run),
    denied: (run) => seen.denied.push(run),
    error: (error) => seen.errors.push(error.code),
  };
  window.signalbox = signalbox;
  window.watch_ = runs ? signalbox.watch(runs, handlers, options) : signalbox.watchAll(handlers, options);
}"""


class KitTabs:
    """Tabs of one browser profile."""

    def __init__(self, context: BrowserContext, site: Site) -> None:
        self._context = context
        self._site = site
        self._streams: dict[Request, Page] = {}
        context.on("request", self._on_request)
        context.on("requestfinished", self._on_request_over)
        context.on("requestfailed", self._on_request_over)
        context.route(f"{site.origin}/kit.html", _give_page)
        context.route(f"{site.origin}/favicon.ico", lambda route: route.fulfill(status=204))

    def open(self, runs: Sequence[str] | None, *, key: str = "", **options: object) -> Page:
        """Open a tab that watches these runs, or all."""
        page = self._context.new_page()
        page.goto(f"{self._site.origin}/kit.html")
        self.watch(page, runs, key=key, **options)
        return page

    def watch(self, page: Page, runs: Sequence[str] | None, *, key: str = "", **options: object) -> None:
        """Watch in a tab. Returns when its watch is live."""
        given = {"origin": self._site.origin, "key": key, "runs": runs and list(runs), "options": options}
        page.evaluate(WATCH, given)
        page.wait_for_function("window.seen.states.includes('live')")

    def until_streams(self, page: Page, count: int) -> None:
        """Wait until so many streams are open."""
        for _ in range(1_200):
            # A tab that is closed reports no end of its requests.
            is_open = [not owner.is_closed() for owner in self._streams.values()]
            if sum(is_open) == count:
                return
            page.wait_for_timeout(50)
        raise AssertionError(f"{sum(is_open)} streams are open, not {count}")

    def _on_request(self, request: Request) -> None:
        if "/v1/stream?" in request.url:
            self._streams[request] = request.frame.page

    def _on_request_over(self, request: Request) -> None:
        self._streams.pop(request, None)


def until_received(page: Page, run_id: str, sequence: int) -> None:
    """Wait until a tab has received an event of a run."""
    page.wait_for_function(
        "([run, sequence]) => (window.seen.events[run] ?? []).includes(sequence)", arg=[run_id, sequence]
    )


def received(page: Page, run_id: str) -> list[int]:
    """The sequences of a run's events, in the order in which a tab received them."""
    sequences: list[int] = page.evaluate("(run) => window.seen.events[run] ?? []", run_id)
    return sequences


def _give_page(route: Route) -> None:
    route.fulfill(body="<!doctype html><title>kit</title>", content_type="text/html")
