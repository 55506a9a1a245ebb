"""One portal simulator for all tests here; a test that injects faults uses companies of its own."""

from collections.abc import Iterator

import pytest

from support.servers.portal import Portal, running_portal


@pytest.fixture(scope="session")
def portal() -> Iterator[Portal]:
    with running_portal("--companies", "60", "--invoices", "120") as running:
        yield running
