"""A document at an address that fails in any way leaves the cached value, and its reader running."""

import httpx2
import pytest

from signalbox_core.errors import Unavailable
from signalbox_core.http.cached_document import FRESH_FOR_S, RemoteDocument, fetch_document
from signalbox_core.signatures import JwksSource

MALFORMED = ["https://host:notaport/keys", "https://a..b/keys"]


@pytest.mark.parametrize("error", [RuntimeError("bug"), UnicodeError("host"), Unavailable("away")])
async def test_an_error_of_any_kind_leaves_the_cached_value(error: Exception) -> None:
    now, failures = [0.0], list[Exception]()

    async def load() -> str:
        if now[0] > 0:
            raise error
        return "keys"

    document = RemoteDocument(
        "https://keys.example.com", load, on_failure=lambda: failures.append(error), clock=lambda: now[0]
    )
    await document.refresh()
    now[0] = FRESH_FOR_S + 1
    await document.refresh()

    assert (document.value, failures) == ("keys", [error])


@pytest.mark.parametrize("url", MALFORMED)
async def test_an_address_that_no_client_can_use_is_unavailable(url: str) -> None:
    async with httpx2.AsyncClient(trust_env=False) as client:
        with pytest.raises(Unavailable, match=r"not a valid address|does not respond"):
            await fetch_document(client, url, frozenset({"application/json"}))


@pytest.mark.parametrize(
    "url", [*MALFORMED, "https://host:0/keys", "https://host:99999/keys", "https://[::1/keys"]
)
def test_such_an_address_is_refused_in_the_key_file(url: str) -> None:
    with pytest.raises(ValueError, match="must be https"):
        JwksSource(url=url, sender="billing", tenant="acme")
