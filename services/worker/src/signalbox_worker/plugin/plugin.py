"""`SignalboxPlugin`: one line in the call of `Worker`, and its workflows are shown as runs."""

import dataclasses
import os
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from temporalio.plugin import SimplePlugin
from temporalio.worker import Interceptor, ReplayerConfig, Worker, WorkerConfig, WorkflowRunner
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner

from signalbox_core.errors import InvalidInput
from signalbox_core.pipeline.activity.plain import PlainActivityInterceptor
from signalbox_core.pipeline.workflow.plain.interceptor import PlainWorkflowInterceptor
from signalbox_core.pipeline.workflow.plain.record import PlainSettings
from signalbox_core.signatures import Signer
from signalbox_worker.plugin.delivery import PluginDelivery
from signalbox_worker.settings import PREFIX

DEFAULT_CATCH_UP: Final = 1_000
_SHARED_MODULES: Final = ("signalbox_core", "signalbox_worker", "msgspec")
"""What the sandbox passes through: the interceptor's own imports, and those of a workflow's file that creates
its worker too."""


class SignalboxPlugin(SimplePlugin):
    """Shows the workflows of a worker as runs of a tenant.

    Args:
        tenant: of the workflows whose start names none, by the memo `signalbox_tenant` or the search
            attribute `SignalboxTenant`.
        receiver_url, keyid, private_key_file: the webhook receiver and the signing key; by default from
            `SIGNALBOX_WORKER_RECEIVER_URL`, `SIGNALBOX_WORKER_KEYID` and
            `SIGNALBOX_WORKER_PRIVATE_KEY_FILE`.
        catch_up: how many of the open workflows are shown when the worker starts, the newest first.

    Raises:
        InvalidInput: an argument is missing, or the key file is invalid.
    """

    def __init__(
        self,
        *,
        tenant: str,
        receiver_url: str | None = None,
        keyid: str | None = None,
        private_key_file: str | None = None,
        catch_up: int = DEFAULT_CATCH_UP,
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        super().__init__("signalbox.SignalboxPlugin")
        if not tenant:
            raise InvalidInput("tenant must not be empty", field="tenant")
        self._tenant = tenant
        self._receiver_url = _setting("receiver_url", receiver_url, environ)
        self._signer = Signer.from_file(
            _setting("keyid", keyid, environ), _setting("private_key_file", private_key_file, environ)
        )
        self._catch_up = catch_up
        self._deliveries: dict[Interceptor, PluginDelivery] = {}

    def configure_worker(self, config: WorkerConfig) -> WorkerConfig:
        config = super().configure_worker(config)
        client = config["client"]
        # If payloads are encrypted, events must not carry them in clear.
        is_clear = client.data_converter.payload_codec is None
        delivery = PluginDelivery(client, self._receiver_url, self._signer)
        shown = PlainWorkflowInterceptor(
            PlainSettings(tenant=self._tenant, shows_values=is_clear),
            delivery.committed.record,
            delivery.emitter.offer,
        )
        self._deliveries[shown] = delivery
        config["interceptors"] = [
            *config.get("interceptors", ()),
            shown,
            PlainActivityInterceptor(delivery.emitter, shows_values=is_clear),
        ]
        config["workflow_runner"] = _share_modules(config["workflow_runner"])
        return config

    def configure_replayer(self, config: ReplayerConfig) -> ReplayerConfig:
        config = super().configure_replayer(config)
        config["interceptors"] = [
            *config.get("interceptors", ()),
            PlainWorkflowInterceptor(PlainSettings(tenant=self._tenant), _ignore, _ignore),
        ]
        config["workflow_runner"] = _share_modules(config["workflow_runner"])
        return config

    async def run_worker(
        self,
        worker: Worker,
        next: Callable[[Worker], Awaitable[None]],  # noqa: A002
    ) -> None:
        config = worker.config(active_config=True)
        (delivery,) = (
            self._deliveries[each] for each in config.get("interceptors", ()) if each in self._deliveries
        )
        limit = self._catch_up if config.get("workflows") else 0
        async with delivery.running(worker.task_queue, catch_up_limit=limit):
            await super().run_worker(worker, next)


def _setting(name: str, given: str | None, environ: Mapping[str, str]) -> str:
    variable = f"{PREFIX}_{name.upper()}"
    value = given or environ.get(variable)
    if not value:
        raise InvalidInput(f"pass {name} to SignalboxPlugin, or set {variable}", field=name)
    return value


def _share_modules(runner: WorkflowRunner) -> WorkflowRunner:
    if not isinstance(runner, SandboxedWorkflowRunner):
        return runner
    shared = runner.restrictions.with_passthrough_modules(*_SHARED_MODULES)
    return dataclasses.replace(runner, restrictions=shared)


def _ignore(_: object) -> None:
    """A replay publishes nothing."""
