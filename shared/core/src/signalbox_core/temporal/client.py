"""Connects to Temporal, with the same converter, keys and credentials for every client.

Address, TLS, mTLS and API keys are configured as for Temporal's own tools (`temporalio.envconfig`):
TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE, TEMPORAL_API_KEY, TEMPORAL_TLS_…, and a profile file with
TEMPORAL_CONFIG_FILE or TEMPORAL_PROFILE.
"""

import asyncio
import os
from collections.abc import Mapping
from typing import Final

from temporalio.client import Client, HeaderCodecBehavior
from temporalio.envconfig import ClientConfig, ClientConnectConfig
from temporalio.runtime import Runtime
from temporalio.service import RPCError

from signalbox_core.crypto.sealing import KeyRing
from signalbox_core.errors import InvalidInput, Unavailable
from signalbox_core.objects import MutableObjectStore
from signalbox_core.temporal.converter import converter_with
from signalbox_core.temporal.trace_header import TraceHeaders

CONNECT_TIMEOUT_S: Final = 10.0
_FILE_VARIABLES: Final = frozenset({"TEMPORAL_CONFIG_FILE", "TEMPORAL_PROFILE"})


async def connect(  # noqa: PLR0913 - each is one aspect of the connection
    address: str | None = None,
    namespace: str | None = None,
    *,
    keys: KeyRing | None = None,
    objects: MutableObjectStore | None = None,
    is_lazy: bool = False,
    identity: str | None = None,
    runtime: Runtime | None = None,
) -> Client:
    """Connect within 10 s; a lazy client connects at its first call.

    Args:
        address, namespace: override those of the environment.
        keys: encrypt every payload, including headers.
        objects: stores large payloads.

    Raises:
        InvalidInput: no address is configured, or a certificate or profile cannot be used.
        Unavailable: Temporal does not respond at the address.
    """
    config = connection_config(address, namespace, os.environ)
    converter = converter_with(keys, objects)
    where = f"{config['target_host']} (namespace {config['namespace']})"
    try:
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            return await Client.connect(
                **config,
                identity=identity,
                data_converter=converter,
                interceptors=[TraceHeaders()],
                # Events travel in the headers of activities.
                header_codec_behavior=HeaderCodecBehavior.CODEC
                if converter.payload_codec is not None
                else HeaderCodecBehavior.NO_CODEC,
                lazy=is_lazy,
                runtime=runtime,
            )
    except (RuntimeError, RPCError, TimeoutError) as error:
        raise Unavailable(f"Temporal does not respond at {where}: {error}") from error


def connection_config(
    address: str | None, namespace: str | None, environ: Mapping[str, str]
) -> ClientConnectConfig:
    """Read the connection configuration.

    Raises:
        InvalidInput: no address is configured, or the variables or their file are invalid.
    """
    variables = {name: value for name, value in environ.items() if name.startswith("TEMPORAL_")}
    variables |= {"TEMPORAL_ADDRESS": address} if address else {}
    variables |= {"TEMPORAL_NAMESPACE": namespace} if namespace else {}
    try:
        config = ClientConfig.load_client_connect_config(
            disable_file=_FILE_VARIABLES.isdisjoint(variables), override_env_vars=variables
        )
    except (RuntimeError, ValueError, OSError) as error:
        raise InvalidInput(
            f"the Temporal settings (TEMPORAL_…) are invalid: {error}", field="TEMPORAL_ADDRESS"
        ) from None
    if "target_host" not in config:
        raise InvalidInput("set the environment variable TEMPORAL_ADDRESS", field="TEMPORAL_ADDRESS")
    return {**config, "namespace": config.get("namespace", "default")}
