"""The demo shop as its own process, as people start it."""

import contextlib
import subprocess
import sys
from collections.abc import Iterator

from msgspec import Struct

from signalbox_core.http.fetch import Fetcher


class Shop(Struct, frozen=True):
    """A running shop: `endpoint` is `ip:port`."""

    endpoint: str

    def url(self, path: str) -> str:
        return f"http://{self.endpoint}/{path.lstrip('/')}"

    def fetcher(self, **limits: float) -> Fetcher:
        """A fetcher that may reach this shop, and otherwise public addresses only."""
        return Fetcher(frozenset({self.endpoint}), **limits)


@contextlib.contextmanager
def running_shop() -> Iterator[Shop]:
    command = [sys.executable, "-m", "signalbox_devstack.emulators.shop", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            said = process.stdout.readline()
            assert said.startswith("listening "), said
            yield Shop(said.split()[1])
        finally:
            process.terminate()
            process.wait(10)
