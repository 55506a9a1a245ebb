"""The local model server as its own process, as people start it."""

import contextlib
import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator

from msgspec import Struct

from signalbox_core.chat_model.settings import ModelSettings, Prices
from signalbox_core.secret import Secret


class ModelApi(Struct, frozen=True):
    """A running server: `endpoint` is `ip:port`."""

    endpoint: str

    @property
    def url(self) -> str:
        return f"http://{self.endpoint}/v1"

    def settings(
        self, fault: str = "", *, read_timeout_s: float = 10.0, prices: Prices | None = None
    ) -> ModelSettings:
        """Of the model that has this fault (`rate_limit:2`)."""
        name = f"sim@{fault}" if fault else "sim"
        return ModelSettings(
            url=self.url, name=name, api_key=Secret("s3cret"), read_timeout_s=read_timeout_s, prices=prices
        )

    def environ(self, fault: str = "", **more: str) -> dict[str, str]:
        """The worker's environment for it."""
        settings = {"URL": self.url, "NAME": f"sim@{fault}" if fault else "sim", "API_KEY": "s3cret", **more}
        return {f"SIGNALBOX_WORKER_MODEL_{name}": value for name, value in settings.items()}

    def requests(self) -> list[dict[str, object]]:
        """The requests it has had, newest last."""
        with urllib.request.urlopen(f"http://{self.endpoint}/_sim/stats") as answer:
            return list(json.load(answer)["last"])


@contextlib.contextmanager
def running_model_api(*arguments: str) -> Iterator[ModelApi]:
    command = [sys.executable, "-m", "signalbox_devstack.emulators.model_api", "--port", "0", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            assert process.stdout is not None
            said = process.stdout.readline()
            assert said.startswith("listening "), said
            yield ModelApi(said.split()[1])
        finally:
            process.terminate()
            process.wait(10)
