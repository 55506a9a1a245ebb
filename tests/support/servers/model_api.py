"""The simulated model server as a separate process."""

import contextlib
import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator

from msgspec import Struct

from signalbox_core.chat_model.settings import ChatModelSettings, TokenPrices
from signalbox_core.secret import Secret


class ModelApi(Struct, frozen=True):
    """A running server: `endpoint` is `ip:port`."""

    endpoint: str

    @property
    def url(self) -> str:
        return f"http://{self.endpoint}/v1"

    def settings(
        self, fault: str = "", *, read_timeout_s: float = 10.0, prices: TokenPrices | None = None
    ) -> ChatModelSettings:
        """Settings of a model with this fault (`rate_limit:2`)."""
        name = f"sim@{fault}" if fault else "sim"
        return ChatModelSettings(
            url=self.url, name=name, api_key=Secret("s3cret"), read_timeout_s=read_timeout_s, prices=prices
        )

    def environ(self, fault: str = "", **more: str) -> dict[str, str]:
        """The worker's environment variables for a model with this fault."""
        settings = {"URL": self.url, "NAME": f"sim@{fault}" if fault else "sim", "API_KEY": "s3cret", **more}
        return {f"SIGNALBOX_WORKER_MODEL_{name}": value for name, value in settings.items()}

    def requests(self) -> list[dict[str, object]]:
        """The requests received so far, newest last."""
        with urllib.request.urlopen(f"http://{self.endpoint}/_sim/stats") as response:
            return list(json.load(response)["last"])


@contextlib.contextmanager
def running_model_api(*arguments: str) -> Iterator[ModelApi]:
    command = [sys.executable, "-m", "signalbox_devstack.emulators.model_api", "--port", "0", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line.startswith("listening "), line
            yield ModelApi(line.split()[1])
        finally:
            process.terminate()
            process.wait(10)
