"""The console's API in tests of its modules, which have no gateway."""

from collections.abc import Callable, Sequence
from typing import Final

from playwright.sync_api import Page, Request, Route

from support.drivers.browser import until

API: Final = "http://console.test/v1/"
PREPARE: Final = """() => {
    localStorage.clear();
    const session = { roles: ["approver", "operator"], subject: "key:Minh" };
    localStorage.setItem("signalbox.session", JSON.stringify(session));
    document.body.replaceChildren();
    for (const id of ["toasts", "announcer", "alarm"])
        document.body.append(Object.assign(document.createElement("div"), { id }));
}"""
"""Shows nothing, signs in an approver who is also an operator, and adds the regions for messages."""


class HeldRoutes:
    """Requests whose responses are still to come."""

    def __init__(self) -> None:
        self.routes: list[Route] = []

    def __call__(self, route: Route, _: Request) -> None:
        self.routes.append(route)

    def until(self, page: Page, count: int = 1) -> Sequence[Route]:
        """Wait for that many requests. The browser reports a request before it hands over its route."""
        until(page, lambda: len(self.routes) >= count)
        return self.routes


class ConsoleApi:
    """Replaces the gateway's API, by method and path; nobody else looks at a question."""

    def __init__(self) -> None:
        self.handlers: dict[str, Callable[[Route, Request], None]] = {}

    def give(self, operation: str, body: object, status: int = 200) -> None:
        self.handlers[operation] = lambda route, _: route.fulfill(status=status, json=body)

    def __call__(self, route: Route, request: Request) -> None:
        operation = f"{request.method} {request.url.removeprefix(API)}"
        if operation in self.handlers:
            self.handlers[operation](route, request)
        else:
            route.fulfill(json={"questions": []})
