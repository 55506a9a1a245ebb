"""Connecting to Temporal: one place, so every client speaks with the same converter."""

import asyncio
from collections.abc import Sequence
from typing import Final

from temporalio.client import Client, Interceptor
from temporalio.runtime import Runtime
from temporalio.service import RPCError

from signalbox_core.errors import Unavailable
from signalbox_core.temporal.converter import data_converter

CONNECT_TIMEOUT_S: Final = 10.0


async def connect(
    address: str,
    namespace: str,
    *,
    identity: str | None = None,
    interceptors: Sequence[Interceptor] = (),
    runtime: Runtime | None = None,
) -> Client:
    """Connect, within 10 s.

    Raises:
        Unavailable: nobody answers at `address`.
    """
    try:
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            return await Client.connect(
                address,
                namespace=namespace,
                identity=identity,
                interceptors=list(interceptors),
                data_converter=data_converter,
                runtime=runtime,
            )
    except (RuntimeError, RPCError, TimeoutError) as error:
        raise Unavailable(f"Temporal does not answer at {address} (namespace {namespace}): {error}") from error
