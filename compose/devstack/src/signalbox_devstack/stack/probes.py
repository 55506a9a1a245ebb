"""Readiness seen from outside: one question a protocol, no client library but gRPC's. Answers True or False, never raises."""

import asyncio
from typing import Final, assert_never

import grpc.aio

from signalbox_devstack.stack.parts import GrpcAnswers, HttpOk, Probe, RedisPong

_TRY_WITHIN_S: Final = 2.0
_EVERY_S: Final = 0.03
_HOST: Final = "127.0.0.1"


async def until_ready(probe: Probe) -> None:
    """Return once the part answers; the caller bounds the wait."""
    while not await is_ready(probe):  # noqa: ASYNC110 - another process becomes ready
        await asyncio.sleep(_EVERY_S)


async def is_ready(probe: Probe) -> bool:
    try:
        async with asyncio.timeout(_TRY_WITHIN_S):
            return await _ask(probe)
    except (OSError, TimeoutError, EOFError, grpc.aio.AioRpcError):
        return False


async def _ask(probe: Probe) -> bool:
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
