"""One portal for all tests. A test that injects faults uses a company of its own."""

from collections.abc import Iterator

import pytest

from support.servers.portal import Portal, running_portal


@pytest.fixture(scope="session")
def portal() -> Iterator[Portal]:
    with running_portal("--companies", "30", "--invoices", "200") as running:
        yield running
