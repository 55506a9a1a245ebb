"""The errors of an RPC: a status code, a message, and for some errors details in the trailers."""

from collections.abc import Sequence

import grpc
from google.protobuf import any_pb2
from google.rpc import code_pb2, error_details_pb2, status_pb2  # type: ignore[import-untyped]

_BAD_ACK_IDS = (
    "Some acknowledgement ids in the request were invalid. This could be because the acknowledgement ids "
    "have "
    "expired or the acknowledgement ids were malformed."
)


class PubsubError(Exception):
    """Ends a call with a status. `trailers` carry details for clients that read them."""

    def __init__(
        self, code: grpc.StatusCode, message: str, trailers: Sequence[tuple[str, bytes]] = ()
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.trailers = tuple(trailers)


def invalid(message: str) -> PubsubError:
    return PubsubError(grpc.StatusCode.INVALID_ARGUMENT, message)


def precondition(message: str) -> PubsubError:
    return PubsubError(grpc.StatusCode.FAILED_PRECONDITION, message)


def unavailable(message: str) -> PubsubError:
    return PubsubError(grpc.StatusCode.UNAVAILABLE, message)


def not_found(name: str) -> PubsubError:
    return PubsubError(grpc.StatusCode.NOT_FOUND, f"Resource not found (resource={name.rsplit('/', 1)[-1]}).")


def already_exists(name: str) -> PubsubError:
    return PubsubError(
        grpc.StatusCode.ALREADY_EXISTS,
        f"Resource already exists in the project (resource={name.rsplit('/', 1)[-1]}).",
    )


def invalid_ack_ids(ack_ids: Sequence[str]) -> PubsubError:
    """Invalid acknowledgement ids.

    With exactly-once delivery, Google's clients read each id from an ErrorInfo.
    """
    if not ack_ids:
        return invalid(_BAD_ACK_IDS)
    info = error_details_pb2.ErrorInfo(
        reason="EXACTLY_ONCE_ACKID_FAILURE",
        domain="pubsub.googleapis.com",
        metadata=dict.fromkeys(ack_ids, "PERMANENT_FAILURE_INVALID_ACK_ID"),
    )
    detail = any_pb2.Any()
    detail.Pack(info)
    status = status_pb2.Status(code=code_pb2.INVALID_ARGUMENT, message=_BAD_ACK_IDS, details=[detail])
    return PubsubError(
        grpc.StatusCode.INVALID_ARGUMENT,
        _BAD_ACK_IDS,
        [("grpc-status-details-bin", status.SerializeToString())],
    )
