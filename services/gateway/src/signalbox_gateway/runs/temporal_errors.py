"""Maps the RPC errors of Temporal's client to Signalbox errors."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from temporalio.service import RPCError, RPCStatusCode

from signalbox_core.errors import InvalidInput, NotFound, Unavailable


@asynccontextmanager
async def map_temporal_errors() -> AsyncIterator[None]:
    """Map Temporal's RPC errors to Signalbox errors.

    Raises:
        NotFound: there is no such open run.
        InvalidInput: Temporal rejected an argument.
        Unavailable: anything else.
    """
    try:
        yield
    except RPCError as error:
        if error.status == RPCStatusCode.NOT_FOUND:
            raise NotFound("there is no such open run", code="unknown_run") from error
        if error.status == RPCStatusCode.INVALID_ARGUMENT:
            raise InvalidInput(f"Temporal rejected the request: {error.message[:300]}") from error
        raise temporal_unavailable() from error
    except RuntimeError as error:
        # A client that has never connected to the server raises this class.
        if not str(error).startswith("Failed client connect"):
            raise
        raise temporal_unavailable() from error


def temporal_unavailable() -> Unavailable:
    return Unavailable(
        "Temporal is unavailable; send the same request again later", code="temporal_unavailable"
    )
