"""The demo shop as a separate process."""

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
        """A fetcher that may access this shop besides public addresses."""
        return Fetcher(frozenset({self.endpoint}), **limits)


@contextlib.contextmanager
def running_shop() -> Iterator[Shop]:
    command = [sys.executable, "-m", "signalbox_devstack.emulators.shop", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line.startswith("listening "), line
            yield Shop(line.split()[1])
        finally:
            process.terminate()
            process.wait(10)
