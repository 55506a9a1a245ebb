"""One portal for all tests here; each uses a company of its own where it sets faults."""

from collections.abc import Iterator

import pytest

from support.servers.portal import Portal, running_portal


@pytest.fixture(scope="session")
def portal() -> Iterator[Portal]:
    with running_portal("--companies", "30", "--invoices", "200") as running:
        yield running
