"""A customer's web site: an origin of its own, one page, and a backend that mints tokens with its API key."""

import json
import threading
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Json = Mapping[str, object]


class CustomerSite:
    """Attributes: minted: the last token; pages: the body of each path."""

    def __init__(self, port: int, gateway: str, api_key: str, request: Json) -> None:
        self.origin = f"http://127.0.0.1:{port}"
        self.pages: dict[str, str] = {}
        self.minted = ""
        self._gateway = gateway
        self._api_key = api_key
        self._request = request

    def mint(self) -> bytes:
        """Mint a token, as the documented backend does."""
        asked = urllib.request.Request(
            f"{self._gateway}/v1/tokens",
            data=json.dumps(self._request).encode(),
            headers={"authorization": f"Bearer {self._api_key}", "content-type": "application/json"},
        )
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(asked, timeout=20) as answer:
            body: bytes = answer.read()
        self.minted = str(json.loads(body)["token"])
        return body


@contextmanager
def customer_site(port: int, gateway: str, api_key: str, request: Json) -> Iterator[CustomerSite]:
    """Serve the site on the port.

    Args:
        request: the body of the backend's `POST /v1/tokens`.
    """
    site = CustomerSite(port, gateway, api_key, request)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            page = site.pages.get(self.path)
            self._reply(200 if page is not None else 204, "text/html; charset=utf-8", (page or "").encode())

        def do_POST(self) -> None:
            self._reply(201, "application/json", site.mint())

        def _reply(self, status: int, media_type: str, body: bytes) -> None:
            self.send_response(status)
            self.send_header("content-type", media_type)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_given: object) -> None:
            """Print nothing."""

    with ThreadingHTTPServer(("127.0.0.1", port), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield site
        server.shutdown()
        thread.join()
