"""The blocking client is generated from the asyncio client."""

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "tools"))


def test_the_blocking_client_is_up_to_date() -> None:
    import sync_client

    assert sync_client.TARGET.read_text() == sync_client.generate(sync_client.SOURCE.read_text())


@pytest.mark.parametrize("construct", ["asyncio.gather(a, b)", "asynccontextmanager", "httpx.AsyncClient"])
def test_an_asyncio_construct_without_a_substitution_is_refused(construct: str) -> None:
    import sync_client

    with pytest.raises(SystemExit, match="no substitution for"):
        sync_client.generate(f'"""Client."""\nvalue = {construct}\n')
