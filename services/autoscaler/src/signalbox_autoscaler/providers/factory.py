"""Creates the configured provider. Its client libraries are imported only when it is chosen."""

import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final, assert_never

from signalbox_autoscaler.providers.none import NoProvider
from signalbox_autoscaler.providers.provider import Provider
from signalbox_autoscaler.settings import PREFIX, Settings
from signalbox_core.errors import InvalidInput

_IN_CLUSTER: Final = "https://kubernetes.default.svc"


def create_provider(settings: Settings, environ: Mapping[str, str]) -> Provider:
    """Create the provider that the settings name.

    Raises:
        InvalidInput: a setting of the chosen provider is missing or wrong.
    """
    match settings.provider:
        case "none":
            return NoProvider()
        case "local":
            from signalbox_autoscaler.providers.local import LocalProcesses

            command = (
                shlex.split(settings.local_command)
                if settings.local_command
                else [sys.executable, "-m", "signalbox_worker"]
            )
            return LocalProcesses(Path(_require(settings.local_folder, "local_folder")), command, environ)
        case "cloud_run":
            from signalbox_autoscaler.providers.cloud_run import CloudRunJobs

            job = _require(settings.cloud_run_job, "cloud_run_job")
            return CloudRunJobs(
                job, endpoint=settings.cloud_run_endpoint, container=settings.cloud_run_container
            )
        case "kubernetes":
            return _kubernetes(settings)
        case other:
            assert_never(other)


def _kubernetes(settings: Settings) -> Provider:
    from signalbox_autoscaler.providers.kubernetes import SERVICE_ACCOUNT, KubernetesJobs

    ca_file = settings.kubernetes_ca_file or (None if settings.kubernetes_api else SERVICE_ACCOUNT / "ca.crt")
    return KubernetesJobs(
        settings.kubernetes_api or _IN_CLUSTER,
        settings.kubernetes_namespace,
        _require(settings.kubernetes_template, "kubernetes_template"),
        token_file=Path(settings.kubernetes_token_file or SERVICE_ACCOUNT / "token"),
        ca_file=Path(ca_file) if ca_file else None,
    )


def _require(value: str | None, name: str) -> str:
    if not value:
        raise InvalidInput(f"set the environment variable {PREFIX}_{name.upper()}", field=name)
    return value
