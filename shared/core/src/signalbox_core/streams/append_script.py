"""Calls of the script that writes a run's stream (`append.lua`): one alone, or many in one round trip."""

from collections.abc import Sequence
from importlib.resources import files
from typing import Any

import msgspec
from msgspec import Struct
from redis.asyncio import Redis
from redis.exceptions import NoScriptError

from signalbox_core.errors import Conflict
from signalbox_core.ids import run_id_of
from signalbox_core.redis.client import map_redis_errors
from signalbox_core.streams.keys import RunKeys
from signalbox_core.streams.record import FIRST_PLAIN_SEQUENCE, Record
from signalbox_core.streams.run_stream import AppendOutcome


class ScriptCall(Struct, kw_only=True):
    """The script's first argument."""

    mode: str
    channel: str
    tenant: str
    epoch: str
    ttl_ms: int
    max_frames: int
    max_parked: int
    first_plain: int = FIRST_PLAIN_SEQUENCE
    replaces: str | None = None
    top: int = 0
    base: str = ""
    marks: tuple[str, ...] = ()
    terminal: bool = False


class RunCall(Struct, kw_only=True):
    """One call of the script: the key of a stream and the records to write."""

    key: str
    call: ScriptCall
    records: Sequence[Record] = ()


class ScriptResult(Struct, kw_only=True):
    """What one call did."""

    status: str
    epoch: str
    has_gap: bool
    healed: bool
    outcomes: list[AppendOutcome]


class AppendScript:
    """The script of one Redis.

    Raises:
        Unavailable: from every method, when Redis is unavailable.
    """

    def __init__(self, client: Redis) -> None:
        self._redis = client
        text = files("signalbox_core.streams").joinpath("append.lua").read_text("utf-8")
        self._script = client.register_script(text)

    async def run(self, call: RunCall) -> ScriptResult:
        """Make one call.

        Raises:
            Conflict: `foreign_run`, the run belongs to another tenant.
        """
        [result] = await self.run_all([call])
        if isinstance(result, Conflict):
            raise result
        return result

    async def run_all(self, calls: Sequence[RunCall]) -> list[ScriptResult | Conflict]:
        """Make all calls in one round trip, in their order; a run of another tenant affects its call only."""
        what = f"stream of {run_id_of(calls[0].key)}" if len(calls) == 1 else "streams of runs"
        with map_redis_errors(what):
            replies = await (self._evaluate_one(calls[0]) if len(calls) == 1 else self._evaluate_all(calls))
        return [_result(call, reply) for call, reply in zip(calls, replies, strict=True)]

    async def _evaluate_one(self, call: RunCall) -> list[Any]:
        return [await self._script(keys=RunKeys(call.key).all, args=_arguments(call))]

    async def _evaluate_all(self, calls: Sequence[RunCall]) -> list[Any]:
        replies = await self._evaluate(calls)
        missing = [place for place, reply in enumerate(replies) if isinstance(reply, NoScriptError)]
        if missing:
            await self._redis.script_load(self._script.script)
            again = await self._evaluate([calls[place] for place in missing])
            for place, reply in zip(missing, again, strict=True):
                replies[place] = reply
        for reply in replies:
            if isinstance(reply, Exception):
                raise reply
        return replies

    async def _evaluate(self, calls: Sequence[RunCall]) -> list[Any]:
        # A registered script in a pipeline costs a round trip more, which asks whether Redis has it.
        async with self._redis.pipeline(transaction=False) as pipe:
            for call in calls:
                keys = RunKeys(call.key).all
                pipe.execute_command("EVALSHA", self._script.sha, len(keys), *keys, *_arguments(call))
            return await pipe.execute(raise_on_error=False)


def _arguments(call: RunCall) -> list[bytes]:
    return [msgspec.msgpack.encode(call.call), *(msgspec.msgpack.encode(item) for item in call.records)]


def _result(call: RunCall, reply: Sequence[Any]) -> ScriptResult | Conflict:
    status, epoch, _, has_gap, healed, *outcomes = reply
    if status == b"other_tenant":
        # Only when a gateway of an earlier release created the stream of another tenant just now.
        return Conflict(
            f"run {run_id_of(call.key)} belongs to another tenant; choose another run id",
            code="foreign_run",
            field="runid",
        )
    return ScriptResult(
        status=status.decode(),
        epoch=epoch.decode(),
        has_gap=bool(has_gap),
        healed=bool(healed),
        outcomes=[AppendOutcome(outcome.decode()) for outcome in outcomes],
    )
