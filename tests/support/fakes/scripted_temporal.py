"""Temporal's client without a server: scripted answers, for refusals that no server gives on demand."""

from collections.abc import Callable, Mapping
from typing import Any

from google.protobuf.message import Message
from temporalio.client import Client
from temporalio.service import ConnectConfig, RPCError, RPCStatusCode, ServiceClient

Answer = Message | RPCError | Callable[[Any], Message | RPCError]


def refusal(status: RPCStatusCode, message: str = "no") -> RPCError:
    """An answer that is an error."""
    return RPCError(message, status, b"")


def scripted_client(**answers: Answer) -> tuple[Client, "Connection"]:
    """A client and its connection, whose calls are answered by their names."""
    connection = Connection(answers)
    return Client(connection), connection


class Connection(ServiceClient):
    """Answers each call from the script; a call that is not in it is NOT_FOUND.

    Attributes:
        requests: all calls, in order: name and request.
    """

    def __init__(self, answers: Mapping[str, Answer]) -> None:
        super().__init__(ConnectConfig(target_host="scripted:7233"))
        self._answers = answers
        self.requests: list[tuple[str, Any]] = []

    def calls(self, rpc: str) -> list[Any]:
        return [request for name, request in self.requests if name == rpc]

    @property
    def worker_service_client(self) -> Any:
        raise NotImplementedError

    def update_rpc_metadata(self, metadata: Mapping[str, str | bytes]) -> None:
        raise NotImplementedError

    def update_api_key(self, api_key: str | None) -> None:
        raise NotImplementedError

    async def _rpc_call(self, rpc: str, req: Any, resp_type: type[Any], **_: Any) -> Any:
        self.requests.append((rpc, req))
        answer = self._answers.get(rpc, refusal(RPCStatusCode.NOT_FOUND, f"{rpc}: not found"))
        if callable(answer):
            answer = answer(req)
        if isinstance(answer, RPCError):
            raise answer
        assert isinstance(answer, resp_type)
        return answer
