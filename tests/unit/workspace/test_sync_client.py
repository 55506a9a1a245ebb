"""The blocking client is generated from the asyncio client."""

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "tools"))


import sync_client  # noqa: E402  - the path to it is added above


@pytest.mark.parametrize("name", sync_client.MODULES)
def test_the_blocking_client_is_up_to_date(name: str) -> None:
    target, _ = sync_client.MODULES[name]
    assert (sync_client.PACKAGE / target).read_text() == sync_client.generate(sync_client.PACKAGE / name)


@pytest.mark.parametrize("construct", ["asyncio.gather(a, b)", "asynccontextmanager", "httpx.AsyncClient"])
def test_an_asyncio_construct_without_a_substitution_is_refused(construct: str) -> None:
    with pytest.raises(SystemExit, match="no substitution for"):
        sync_client.translate(f'"""Client."""\nvalue = {construct}\n')
