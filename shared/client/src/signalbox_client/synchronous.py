# Generated from asynchronous.py by tools/sync_client.py (make generate); do not edit.
"""The blocking client: the same methods as the asyncio client."""

import time
from collections.abc import Generator, Sequence
from contextlib import closing
from types import TracebackType
from typing import Any, TypeVar, overload

import httpx2
import msgspec
from msgspec import Struct

from signalbox_client import models, requests
from signalbox_client.retry import OnRetry, connection_failure, ignore_retry
from signalbox_client.run_pipeline import (
    NOT_GIVEN,
    Progress,
    TextDelta,
    decode_result,
    make_progress,
    pipeline_name,
)
from signalbox_client.stream_follower import Follower, Update
from signalbox_client.sync_connection import GatewayConnection
from signalbox_client.sync_schedules import ScheduleMethods
from signalbox_client.wire.http_options import BACKOFF_S, encode_raw
from signalbox_core.pipeline.spec import PipelineSpec

V = TypeVar("V")
In = TypeVar("In", bound=Struct)
Out = TypeVar("Out", bound=Struct)


class Signalbox(ScheduleMethods):
    """A connection to a gateway, for synchronous programs: `with Signalbox(url, key) as signalbox`.

    Every method raises the errors of `signalbox_core.errors`. Requests that fail for a temporary reason
    (connection lost, 429, 5xx, a proxy's error page) are retried with backoff before they raise.

    Args:
        url: the gateway's base URL.
        api_key: an API key of the gateway.
        transport: another HTTP transport, for tests.
        backoff_s: the delay before each retry in seconds; its length is the number of retries.
        on_retry: called before each retry with its cause and its delay in seconds.

    Raises:
        InvalidInput: the URL is not http(s), or the key has invalid characters.
    """

    def __init__(
        self,
        url: str,
        api_key: str,
        *,
        transport: httpx2.BaseTransport | None = None,
        backoff_s: Sequence[float] = BACKOFF_S,
        on_retry: OnRetry = ignore_retry,
    ) -> None:
        super().__init__(
            GatewayConnection(url, api_key, transport=transport, backoff_s=backoff_s, on_retry=on_retry)
        )
        self._backoff_s = backoff_s
        self.url = self._connection.url

    def __enter__(self) -> "Signalbox":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()

    def identity(self) -> models.CallerIdentity:
        """Get the caller's name, tenant and roles. Raises: Forbidden: the key is not valid."""
        return self._connection.send(requests.get_identity())

    def pipelines(self) -> tuple[models.Pipeline, ...]:
        """List the pipelines that can be started."""
        listed = self._connection.send(requests.list_pipelines())
        return listed.pipelines

    def pipeline(self, name: str) -> models.Pipeline:
        """Get a pipeline's contract. Raises: NotFound."""
        return self._connection.send(requests.get_pipeline(name))

    def start(
        self,
        pipeline: str,
        given: object,
        *,
        run_id: str | None = None,
        priority: int | None = None,
        idempotency_key: str | None = None,
        tags: Sequence[str] = (),
    ) -> models.Started:
        """Start a run.

        Args:
            pipeline: the pipeline's name.
            given: the input; anything that encodes to a JSON object.
            run_id: an id of your own; starting the same input with it again returns the existing run.
            priority: 1 (first) to 5 (last); the default is 3.
            idempotency_key: a repeated call with this key returns the existing run; default: a random key.
            tags: labels by which the run is found, as in `tag:q4`.

        Raises:
            InvalidInput: the input breaks the pipeline's schema; `field` names the member.
            Conflict: the run id or the key belongs to another input.
        """
        start = requests.StartBody(
            pipeline=pipeline, input=encode_raw(given), run_id=run_id, priority=priority, tags=tuple(tags)
        )
        return self._connection.send(requests.start_run(start, idempotency_key))

    def upload(self, body: bytes, *, media_type: str = "application/octet-stream") -> models.Uploaded:
        """Store a file that a run can read.

        The gateway detects the type from the bytes; only a manifest (a list of documents) must be declared
        as application/json.
        """
        return self._connection.send(requests.upload(body, media_type))

    def runs(
        self,
        query: str = "",
        *,
        status: str | None = None,
        pipeline: str | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> models.RunPage:
        """List one page of runs, newest first. Pass its `next_cursor` as `cursor` for the next page.

        Args:
            query: a search, as in `status:failed by:minh started:7d coffee`.

        Raises:
            InvalidInput: the query is malformed.
        """
        request = requests.list_runs(query, status=status, pipeline=pipeline, limit=limit, cursor=cursor)
        return self._connection.send(request)

    def result(self, run_id: str) -> msgspec.Raw:
        """Get a run's result as JSON.

        Raises:
            Conflict: the run has not ended, or it ended without a result.
        """
        return msgspec.Raw(self._connection.fetch(requests.get_result(run_id)))

    def artifact(self, run_id: str, name: str) -> bytes:
        """Download one file of a run."""
        return self._connection.fetch(requests.get_artifact(run_id, name))

    @overload
    def run(self, pipeline: str) -> models.Run: ...
    @overload
    def run(
        self,
        pipeline: PipelineSpec[In, Out],
        given: In,
        *,
        run_id: str | None = None,
        priority: int | None = None,
    ) -> Out: ...
    @overload
    def run(
        self,
        pipeline: str,
        given: object,
        *,
        result: type[V],
        run_id: str | None = None,
        priority: int | None = None,
    ) -> V: ...
    @overload
    def run(
        self, pipeline: str, given: object, *, run_id: str | None = None, priority: int | None = None
    ) -> msgspec.Raw: ...
    def run(
        self,
        pipeline: PipelineSpec[Any, Any] | str,
        given: object = NOT_GIVEN,
        *,
        result: object = None,
        run_id: str | None = None,
        priority: int | None = None,
    ) -> Any:
        """`run(run_id)` gets a run's snapshot; `run(pipeline, input)` starts a run and waits for its result.

        To stop waiting does not stop the run. With a `run_id` of your own, the same call finds it again.

        Args:
            pipeline: the pipeline's contract (`SPEC`) or its name; with no input, a run id.
            given: the input.
            result: the type of the result, if the pipeline is given by name; default: JSON (`msgspec.Raw`).
            run_id: an id of your own.
            priority: 1 (first) to 5 (last).

        Raises:
            Conflict: the run ended without a result. `code` is `run_failed`, `run_cancelled`, …; the message
                has the failed step and its cause.
            Unavailable: the gateway cannot be reached, after retries. The run continues.
        """
        if given is NOT_GIVEN:
            return self._connection.send(requests.get_run(pipeline_name(pipeline)))
        started = self.start(pipeline_name(pipeline), given, run_id=run_id, priority=priority)
        with closing(self.watch(started.run_id)) as updates:
            for _ in updates:
                pass
        return decode_result(bytes(self.result(started.run_id)), pipeline, result)

    @overload
    def stream(
        self, pipeline: PipelineSpec[In, Out], given: In, *, run_id: str | None = None
    ) -> Generator[Progress[Out], None, None]: ...
    @overload
    def stream(
        self, pipeline: str, given: object, *, result: type[V], run_id: str | None = None
    ) -> Generator[Progress[V], None, None]: ...
    @overload
    def stream(
        self, pipeline: str, given: object, *, run_id: str | None = None
    ) -> Generator[Progress[msgspec.Raw], None, None]: ...
    def stream(
        self,
        pipeline: PipelineSpec[Any, Any] | str,
        given: object,
        *,
        result: object = None,
        run_id: str | None = None,
    ) -> Generator[Progress[Any], None, None]:
        """Start a run and yield its progress; the last item has the result.

        The arguments and errors are those of `run`.
        """
        started = self.start(pipeline_name(pipeline), given, run_id=run_id)
        delta = TextDelta()
        with closing(self.watch(started.run_id)) as updates:
            for update in updates:
                if not update.has_ended:
                    yield make_progress(update, delta)
                    continue
                body = bytes(self.result(started.run_id))
                yield make_progress(update, delta, decode_result(body, pipeline, result))
                return

    def watch(self, run_id: str, *, last_event_id: str | None = None) -> Generator[Update, None, None]:
        """Yield the run as it is now, then after every event, until it has ended.

        A lost connection is resumed from the last event, without gaps or duplicates.

        Raises:
            Unavailable: the stream could not be opened, after retries.
        """
        follower = Follower(run_id, last_event_id, opening_backoff_s=self._backoff_s)
        while not follower.has_ended:
            try:
                with closing(self._connection.updates(run_id, follower)) as updates:
                    for update in updates:
                        yield update
            except httpx2.TransportError as error:
                follower.fail(connection_failure(self.url, error))
            if not follower.has_ended:
                time.sleep(follower.next_delay_s())
