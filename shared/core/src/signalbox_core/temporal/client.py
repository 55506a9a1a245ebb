"""Connecting to Temporal: one place, so every client speaks with the same converter, keys and credentials.

Address, TLS, mTLS and API keys are read as Temporal's own tools read them (`temporalio.envconfig`): TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE,
TEMPORAL_API_KEY, TEMPORAL_TLS_…, and a file of profiles when TEMPORAL_CONFIG_FILE or TEMPORAL_PROFILE names one.
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
from signalbox_core.temporal.converter import converter_with

CONNECT_TIMEOUT_S: Final = 10.0
_NAMES_A_FILE: Final = frozenset({"TEMPORAL_CONFIG_FILE", "TEMPORAL_PROFILE"})


async def connect(
    address: str | None = None,
    namespace: str | None = None,
    *,
    keys: KeyRing | None = None,
    is_lazy: bool = False,
    identity: str | None = None,
    runtime: Runtime | None = None,
) -> Client:
    """Connect, within 10 s; a lazy client connects at its first call.

    Args:
        address, namespace: go before those of the environment.
        keys: with them every payload is sealed, headers included.

    Raises:
        InvalidInput: there is no address, or a certificate or profile cannot be used.
        Unavailable: nobody answers at the address.
    """
    config = connection_of(address, namespace, os.environ)
    where = f"{config['target_host']} (namespace {config['namespace']})"
    try:
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            return await Client.connect(
                **config,
                identity=identity,
                data_converter=converter_with(keys),
                # Events travel in the headers of activities.
                header_codec_behavior=HeaderCodecBehavior.CODEC
                if keys is not None
                else HeaderCodecBehavior.NO_CODEC,
                lazy=is_lazy,
                runtime=runtime,
            )
    except (RuntimeError, RPCError, TimeoutError) as error:
        raise Unavailable(f"Temporal does not answer at {where}: {error}") from error


def connection_of(
    address: str | None, namespace: str | None, environ: Mapping[str, str]
) -> ClientConnectConfig:
    """What a client needs to connect.

    Raises:
        InvalidInput: no address, or the environment or its file cannot be used; the message says what.
    """
    given = {name: value for name, value in environ.items() if name.startswith("TEMPORAL_")}
    given |= {"TEMPORAL_ADDRESS": address} if address else {}
    given |= {"TEMPORAL_NAMESPACE": namespace} if namespace else {}
    try:
        config = ClientConfig.load_client_connect_config(
            disable_file=_NAMES_A_FILE.isdisjoint(given), override_env_vars=given
        )
    except (RuntimeError, ValueError, OSError) as error:
        raise InvalidInput(
            f"the settings of Temporal (TEMPORAL_…) cannot be used: {error}", field="TEMPORAL_ADDRESS"
        ) from None
    if "target_host" not in config:
        raise InvalidInput("set the environment variable TEMPORAL_ADDRESS", field="TEMPORAL_ADDRESS")
    return {**config, "namespace": config.get("namespace", "default")}
