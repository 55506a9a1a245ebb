"""The gRPC server. Google's client package contains no servicers, so generic handlers serve its messages."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import grpc
import msgspec
from google.cloud import run_v2
from google.longrunning.operations_pb2 import GetOperationRequest, Operation

from signalbox_devstack.emulators.cloud_run.faults import CloudRunFaults
from signalbox_devstack.emulators.cloud_run.jobs import CloudRunError, JobService

if TYPE_CHECKING:
    Handler = grpc.RpcMethodHandler[Any, Any]  # generic in the stubs only

Call = grpc.aio.ServicerContext[Any, Any]


def handlers(jobs: JobService) -> tuple[grpc.GenericRpcHandler, ...]:
    async def set_faults(request: bytes) -> bytes:
        try:
            jobs.faults = msgspec.json.decode(request, type=CloudRunFaults)
        except msgspec.MsgspecError as error:
            raise CloudRunError(grpc.StatusCode.INVALID_ARGUMENT, str(error)) from None
        return b"{}"

    run = {"RunJob": _unary(jobs.run_job, run_v2.RunJobRequest.deserialize, Operation.SerializeToString)}
    executions = {
        "ListExecutions": _unary(
            jobs.list_executions,
            run_v2.ListExecutionsRequest.deserialize,
            run_v2.ListExecutionsResponse.serialize,
        ),
        "GetExecution": _unary(
            jobs.get_execution, run_v2.GetExecutionRequest.deserialize, run_v2.Execution.serialize
        ),
        "CancelExecution": _unary(
            jobs.cancel_execution, run_v2.CancelExecutionRequest.deserialize, Operation.SerializeToString
        ),
    }
    operations = {
        "GetOperation": _unary(
            jobs.get_operation, GetOperationRequest.FromString, Operation.SerializeToString
        )
    }
    return (
        grpc.method_handlers_generic_handler("google.cloud.run.v2.Jobs", run),
        grpc.method_handlers_generic_handler("google.cloud.run.v2.Executions", executions),
        grpc.method_handlers_generic_handler("google.longrunning.Operations", operations),
        grpc.method_handlers_generic_handler(
            "signalbox.world.CloudRun", {"SetFaults": _unary(set_faults, bytes, bytes)}
        ),
    )


def _unary(
    method: Callable[[Any], Awaitable[Any]], read: Callable[[bytes], Any], write: Callable[[Any], bytes]
) -> "Handler":
    async def answer(request: Any, call: Call) -> Any:
        try:
            return await method(request)
        except CloudRunError as error:
            await call.abort(error.code, error.message)

    return grpc.unary_unary_rpc_method_handler(answer, request_deserializer=read, response_serializer=write)


@asynccontextmanager
async def serve_jobs(jobs: JobService, *, host: str, port: int) -> AsyncIterator[int]:
    """Serve for the duration of the block; yields the port.

    Raises:
        RuntimeError: the port is in use.
    """
    server = grpc.aio.server(options=(("grpc.so_reuseport", 0),))
    server.add_generic_rpc_handlers(handlers(jobs))
    bound = server.add_insecure_port(f"{host}:{port}")
    await server.start()
    try:
        yield bound
    finally:
        await server.stop(0.5)
        await jobs.close()
