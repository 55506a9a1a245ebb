"""Random requests never cause a 500, and every refusal is a problem."""

import asyncio
from collections.abc import Mapping
from urllib.parse import quote, urlencode

import httpx2
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from starlette.applications import Starlette

from support.servers.gateway import secret_of

ORIGIN = "https://signalbox.test"
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
SEGMENT = st.one_of(
    st.sampled_from(["echo", "r", "word", "a.png", ".", "..", "%00", "%2F", "%ff", "'", "{run_id}"]),
    st.text(min_size=1, max_size=12),
)
PATH = st.one_of(
    st.sampled_from(
        [
            "/v1/runs",
            "/v1/pipelines",
            "/v1/approvals",
            "/v1/sessions",
            "/v1/stream-tickets",
            "/v1/tokens",
            "/v1/stream",
            "/readyz",
            "/docs",
            "/",
        ]
    ),
    st.builds("/v1/runs/{}".format, SEGMENT),
    st.builds("/v1/runs/{}/{}".format, SEGMENT, st.sampled_from(["result", "cancel", "pause", "resume"])),
    st.builds("/v1/runs/{}/artifacts/{}".format, SEGMENT, SEGMENT),
    st.builds("/v1/runs/{}/approvals/{}/decision".format, SEGMENT, SEGMENT),
    st.builds("/v1/pipelines/{}".format, SEGMENT),
    st.builds("/{}".format, SEGMENT),
)
KNOWN = st.fixed_dictionaries(
    {},
    optional={
        "pipeline": st.sampled_from(["echo", "nope"]) | JSON,
        "input": st.fixed_dictionaries(
            {}, optional={"text": st.text(max_size=8) | JSON, "times": JSON, "ask": JSON, "odd": JSON}
        )
        | JSON,
        "run_id": st.text(max_size=12) | JSON,
        "priority": JSON,
        "answer": JSON,
        "decision_id": JSON,
        "digest": JSON,
        "reason": JSON,
        "runs": JSON,
        "api_key": JSON,
    },
)
HEADERS = st.dictionaries(
    st.sampled_from(
        [
            "idempotency-key",
            "if-none-match",
            "last-event-id",
            "cookie",
            "origin",
            "x-request-id",
            "content-type",
            "range",
        ]
    ),
    st.text(st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"), max_size=20)
    | st.sampled_from(["application/json", "__Host-signalbox=x"]),
    max_size=3,
)
QUERY = st.dictionaries(
    st.sampled_from(["limit", "status", "cursor", "pipeline", "v", "download", "ticket", "run"])
    | st.text(max_size=5),
    st.text(max_size=10),
    max_size=3,
)


class Sent:
    """One request of the fuzzer."""

    def __init__(
        self, method: str, path: str, query: Mapping[str, str], headers: Mapping[str, str], body: object
    ) -> None:
        self.method, self.path, self.query, self.headers, self.body = method, path, query, headers, body

    def __repr__(self) -> str:
        return f"{self.method} {self.path!r} {self.query} {self.headers} {self.body!r}"

    async def answer(self, caller: httpx2.AsyncClient) -> httpx2.Response:
        headers = [(name.encode(), value.encode("latin-1")) for name, value in self.headers.items()]
        headers.append((b"authorization", f"Bearer {secret_of('admin')}".encode()))
        path = quote(self.path, safe="/%")
        url = httpx2.URL(ORIGIN).copy_with(raw_path=f"{path}?{urlencode(dict(self.query))}".encode())
        if isinstance(self.body, bytes):
            return await caller.request(self.method, url, headers=headers, content=self.body)
        return await caller.request(self.method, url, headers=headers, json=self.body)


REQUESTS = st.builds(
    Sent,
    st.sampled_from(["GET", "POST", "DELETE", "PUT", "HEAD"]),
    PATH,
    QUERY,
    HEADERS,
    KNOWN | JSON | st.binary(max_size=40),
)


def check(sent: Sent, answer: httpx2.Response) -> None:
    assert answer.status_code < 500, f"{sent} gave {answer.status_code} {answer.text[:500]}"
    if answer.status_code >= 400 and sent.method != "HEAD":
        assert answer.headers["content-type"] == "application/problem+json", sent
        problem = answer.json()
        assert problem["status"] == answer.status_code
        assert problem["detail"]
        assert problem["code"]


async def test_no_request_whatever_gives_a_500(app: Starlette) -> None:
    """200 requests, made by hypothesis on its own thread and answered on this loop."""
    loop = asyncio.get_running_loop()
    transport = httpx2.ASGITransport(app=app, raise_app_exceptions=True)
    async with httpx2.AsyncClient(transport=transport, timeout=10) as caller:

        @settings(
            max_examples=200,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
            phases=[Phase.explicit, Phase.generate, Phase.shrink],
        )
        @given(sent=REQUESTS)
        def fuzz(sent: Sent) -> None:
            answer = asyncio.run_coroutine_threadsafe(sent.answer(caller), loop).result(20)
            check(sent, answer)

        await asyncio.to_thread(fuzz)
