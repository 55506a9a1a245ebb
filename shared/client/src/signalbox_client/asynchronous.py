"""The asyncio client."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from types import TracebackType
from typing import Any, TypeVar, overload

import httpx2
import msgspec
from msgspec import Struct

from signalbox_client import models, requests
from signalbox_client.http_options import BACKOFF_S, STREAM_TIMEOUT, UNARY_TIMEOUT, options, raw_json
from signalbox_client.problems import decode_answer, error_of, unreachable
from signalbox_client.requests import Call
from signalbox_client.run_pipeline import NOTHING, Progress, Words, name_of, progress_of, typed
from signalbox_client.stream_follower import Follower, Update
from signalbox_core.errors import Unavailable
from signalbox_core.pipeline.spec import PipelineSpec

T = TypeVar("T", bound=Struct)
V = TypeVar("V")
In = TypeVar("In", bound=Struct)
Out = TypeVar("Out", bound=Struct)


class AsyncSignalbox:
    """A gateway, for asyncio programs: `async with AsyncSignalbox(url, key) as signalbox`.

    Every method raises the errors of `signalbox_core.errors`; what was merely away for a moment is tried again first.
    """

    def __init__(
        self,
        url: str,
        api_key: str,
        *,
        transport: httpx2.AsyncBaseTransport | None = None,
        backoff_s: Sequence[float] = BACKOFF_S,
    ) -> None:
        self._backoff_s = backoff_s
        self.url = url.rstrip("/")
        self._http = httpx2.AsyncClient(**options(self.url, api_key), transport=transport)

    async def __aenter__(self) -> "AsyncSignalbox":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.aclose()

    async def pipelines(self) -> tuple[models.Pipeline, ...]:
        return (await self._send(requests.list_pipelines())).pipelines

    async def pipeline(self, name: str) -> models.Pipeline:
        return await self._send(requests.get_pipeline(name))

    async def start(
        self,
        pipeline: str,
        given: object,
        *,
        run_id: str | None = None,
        priority: int | None = None,
        idempotency_key: str | None = None,
    ) -> models.Started:
        """Start a run. `given` is the input: anything that encodes to a JSON object. Priority 1 goes first, 3 is usual, 5 last."""
        start = requests.Start(pipeline=pipeline, input=raw_json(given), run_id=run_id, priority=priority)
        return await self._send(requests.start_run(start, idempotency_key))

    async def upload(self, body: bytes, *, media_type: str = "application/octet-stream") -> models.Uploaded:
        """Store a file for a run to read. What it is is judged by its bytes; a list of documents is declared as application/json."""
        return await self._send(requests.upload(body, media_type))

    async def runs(
        self,
        *,
        status: str | None = None,
        pipeline: str | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> models.RunPage:
        """One page, newest first; `next_cursor` leads to the next."""
        return await self._send(
            requests.list_runs(status=status, pipeline=pipeline, limit=limit, cursor=cursor)
        )

    async def result(self, run_id: str) -> msgspec.Raw:
        """The result as JSON. Raises: Conflict while the run goes on."""
        return msgspec.Raw(await self._fetch(requests.get_result(run_id)))

    async def artifact(self, run_id: str, name: str) -> bytes:
        return await self._fetch(requests.get_artifact(run_id, name))

    async def approvals(self) -> tuple[models.InboxEntry, ...]:
        """What waits for a person."""
        return (await self._send(requests.list_approvals())).approvals

    async def approval(self, run_id: str, approval_id: str) -> models.Approval:
        return await self._send(requests.get_approval(run_id, approval_id))

    async def decide(
        self,
        run_id: str,
        approval_id: str,
        answer: object,
        *,
        digest: str | None = None,
        note: str | None = None,
    ) -> models.Decided:
        """Answer an approval. `digest` (of the approval that was looked at) refuses the answer when the question has changed."""
        return await self._send(
            requests.decide(
                run_id, approval_id, requests.new_decision(raw_json(answer), digest=digest, note=note)
            )
        )

    async def cancel(self, run_id: str, reason: str | None = None) -> models.Accepted:
        return await self._send(requests.control(run_id, "cancel", reason))

    async def pause(self, run_id: str) -> models.Accepted:
        return await self._send(requests.control(run_id, "pause"))

    async def resume(self, run_id: str) -> models.Accepted:
        return await self._send(requests.control(run_id, "resume"))

    @overload
    async def run(self, pipeline: str) -> models.Run: ...
    @overload
    async def run(
        self,
        pipeline: PipelineSpec[In, Out],
        given: In,
        *,
        run_id: str | None = None,
        priority: int | None = None,
    ) -> Out: ...
    @overload
    async def run(
        self,
        pipeline: str,
        given: object,
        *,
        result: type[V],
        run_id: str | None = None,
        priority: int | None = None,
    ) -> V: ...
    @overload
    async def run(
        self, pipeline: str, given: object, *, run_id: str | None = None, priority: int | None = None
    ) -> msgspec.Raw: ...
    async def run(
        self,
        pipeline: PipelineSpec[Any, Any] | str,
        given: object = NOTHING,
        *,
        result: object = None,
        run_id: str | None = None,
        priority: int | None = None,
    ) -> Any:
        """`run(run_id)`: the run now. `run(pipeline, input)`: start one, wait for its end, give its result.

        The result is typed by the contract (`run(SPEC, AiTaskInput(…))`), by `result=` beside a name, or is JSON.
        Whoever stops waiting does not stop the run; with a `run_id` of your own the same call finds it again.

        Raises:
            Conflict: the run ended without a result; `code` is `run_failed`, `run_cancelled`, …, the message has step and cause.
        """
        if given is NOTHING:
            return await self._send(requests.get_run(name_of(pipeline)))
        started = await self.start(name_of(pipeline), given, run_id=run_id, priority=priority)
        async with aclosing(self.watch(started.run_id)) as updates:
            async for _ in updates:
                pass
        return typed(bytes(await self.result(started.run_id)), pipeline, result)

    @overload
    def stream(
        self, pipeline: PipelineSpec[In, Out], given: In, *, run_id: str | None = None
    ) -> AsyncGenerator[Progress[Out], None]: ...
    @overload
    def stream(
        self, pipeline: str, given: object, *, result: type[V], run_id: str | None = None
    ) -> AsyncGenerator[Progress[V], None]: ...
    @overload
    def stream(
        self, pipeline: str, given: object, *, run_id: str | None = None
    ) -> AsyncGenerator[Progress[msgspec.Raw], None]: ...
    async def stream(
        self,
        pipeline: PipelineSpec[Any, Any] | str,
        given: object,
        *,
        result: object = None,
        run_id: str | None = None,
    ) -> AsyncGenerator[Progress[Any], None]:
        """Like `run`, and says what happens on the way: `added` is what the running step has just written, the last one has `result`.

        Raises:
            Conflict: the run ended without a result, as of `run`.
        """
        started = await self.start(name_of(pipeline), given, run_id=run_id)
        words = Words()
        async with aclosing(self.watch(started.run_id)) as updates:
            async for update in updates:
                final = (
                    typed(bytes(await self.result(started.run_id)), pipeline, result)
                    if update.has_ended
                    else None
                )
                yield progress_of(update, words, final)
                if update.has_ended:
                    return

    async def watch(self, run_id: str, *, last_event_id: str | None = None) -> AsyncGenerator[Update, None]:
        """The run now, then after every event, until it has ended. A lost connection is resumed without gap or duplicate."""
        follower = Follower(run_id, last_event_id)
        while not follower.has_ended:
            try:
                async with aclosing(self._connect(run_id, follower)) as updates:
                    async for update in updates:
                        yield update
            except httpx2.TransportError as error:
                if not follower.has_begun:
                    raise unreachable(self.url, error) from error
            if not follower.has_ended:
                await asyncio.sleep(follower.pause_s())

    async def _connect(self, run_id: str, follower: Follower) -> AsyncGenerator[Update, None]:
        async with self._http.sse(
            requests.stream_path(run_id), headers=follower.headers(), timeout=STREAM_TIMEOUT
        ) as source:
            response = source.response
            if response.status_code != 200:
                follower.refused(response.status_code, await response.aread())
                return
            async for frame in source:
                update = follower.take(frame)
                if update:
                    yield update

    async def _send(self, call: Call[T]) -> T:
        return decode_answer(await self._fetch(call), call.answer)

    async def _fetch(self, call: Call[T]) -> bytes:
        for pause_s in self._backoff_s:
            try:
                return await self._try(call)
            except Unavailable as error:
                await asyncio.sleep(getattr(error, "retry_after_s", pause_s))
        return await self._try(call)

    async def _try(self, call: Call[T]) -> bytes:
        try:
            response = await self._http.request(
                call.method,
                call.path,
                params=call.query,
                content=call.body,
                headers=call.headers,
                timeout=UNARY_TIMEOUT,
            )
        except httpx2.TransportError as error:
            raise unreachable(self.url, error) from error
        if not response.is_success:
            raise error_of(response.status_code, response.content, response.headers.get("retry-after"))
        return response.content
