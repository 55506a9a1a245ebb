"""Readiness probes: one request per protocol, without client libraries other than gRPC's."""

import asyncio
from typing import Final, assert_never

import grpc.aio

from signalbox_devstack.stack.parts.part import GrpcAnswers, HttpOk, Probe, RedisPong

_TIMEOUT_S: Final = 2.0
_POLL_S: Final = 0.03
_HOST: Final = "127.0.0.1"


async def wait_until_ready(probe: Probe) -> None:
    """Return once the probe succeeds. The caller sets the timeout."""
    while not await is_ready(probe):  # noqa: ASYNC110 - another process becomes ready
        await asyncio.sleep(_POLL_S)


async def is_ready(probe: Probe) -> bool:
    """Whether the part responds as expected; never raises."""
    try:
        async with asyncio.timeout(_TIMEOUT_S):
            return await _send(probe)
    except (OSError, TimeoutError, EOFError, grpc.aio.AioRpcError):
        return False


async def _send(probe: Probe) -> bool:
    match probe:
        case HttpOk(port=port, path=path):
            request = f"GET {path} HTTP/1.1\r\nHost: {_HOST}:{port}\r\nConnection: close\r\n\r\n"
            return (await _first_line(port, request)).split()[1:2] == [b"200"]
        case RedisPong(port=port):
            return await _first_line(port, "PING\r\n") == b"+PONG\r\n"
        case GrpcAnswers():
            return await _grpc_answers(probe)
        case _:
            assert_never(probe)


async def _first_line(port: int, request: str) -> bytes:
    reader, writer = await asyncio.open_connection(_HOST, port)
    try:
        writer.write(request.encode())
        return await reader.readline()
    finally:
        writer.close()


async def _grpc_answers(probe: GrpcAnswers) -> bool:
    text = probe.argument.encode()
    request = bytes((0x0A, len(text))) + text  # protobuf: field 1, a string shorter than 128 bytes
    async with grpc.aio.insecure_channel(
        f"{_HOST}:{probe.port}", options=[("grpc.enable_http_proxy", 0)]
    ) as channel:
        call = channel.unary_unary(
            probe.method, request_serializer=lambda body: body, response_deserializer=lambda body: body
        )
        await call(request, wait_for_ready=True)
        return True
