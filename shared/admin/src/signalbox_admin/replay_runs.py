"""`signalbox-admin replay-runs`: replays open runs with the installed code, to find those it would break."""

import argparse
import asyncio
import os
from collections.abc import AsyncIterator, Mapping
from typing import TYPE_CHECKING, Any, Final

import msgspec
from msgspec import Struct, structs

from signalbox_admin.command_line import Subparsers, add_command, print_line
from signalbox_core.crypto.sealing import VARIABLE, open_key_ring
from signalbox_core.errors import InvalidInput
from signalbox_core.ids import run_id_of, tenant_of
from signalbox_core.objects import open_object_store

if TYPE_CHECKING:
    from temporalio.client import Client, WorkflowExecution, WorkflowHandle, WorkflowHistory
    from temporalio.worker import Replayer

    from signalbox_core.pipeline import PipelineSpec

EXIT_BREAKS: Final = 2
_ATTEMPTS: Final = 3
_DEADLOCK: Final = "TMPRL1101"
"""The SDK's code for an activation that took more than two seconds, as on a busy machine."""
_DEFINITION: Final = "__temporal_workflow_definition"
_MAX_REASON_CHARS: Final = 400


class ReplayOutcome(Struct, frozen=True, kw_only=True):
    """The outcome of one open run.

    Attributes:
        step: the step of the run's latest activity; empty if it has started none.
        reason: why the run would stop; empty if it replays.
        pinned_to: with --pinned, the build on which a run completes that this code would break.
        is_checked: false if its pipeline is not installed here.
    """

    tenant: str
    run_id: str
    pipeline: str
    step: str = ""
    reason: str = ""
    pinned_to: str = ""
    is_checked: bool = True

    @property
    def breaks(self) -> bool:
        return bool(self.reason) and not self.pinned_to


def add_parser(subparsers: Subparsers) -> None:
    parser = add_command(
        subparsers,
        "replay-runs",
        "replay open runs with the installed pipelines and list those that this code would break",
        "Run it before a deployment, where the new code is installed. It only reads histories. "
        f"Exit code {EXIT_BREAKS} if a run would break or an installed pipeline cannot be loaded. The "
        "connection is configured by $TEMPORAL_ADDRESS, $TEMPORAL_NAMESPACE, $TEMPORAL_TLS_… and "
        f"$TEMPORAL_API_KEY; ${VARIABLE} opens sealed runs.",
    )
    parser.add_argument("--tenant", help="only runs of this tenant")
    parser.add_argument("--pipeline", help="only runs of this pipeline")
    parser.add_argument("--task-queue", metavar="NAME", help="only runs of this task queue")
    parser.add_argument(
        "--pinned",
        action="store_true",
        help="list runs that are pinned to their build as protected; they do not fail the command",
    )
    parser.add_argument("--limit", type=int, metavar="N", help="at most N runs (default: all)")
    parser.add_argument(
        "--objects",
        default=os.environ.get("SIGNALBOX_WORKER_OBJECTS_URL"),
        metavar="URL",
        help="the object store of the workers, for large values (default: $SIGNALBOX_WORKER_OBJECTS_URL)",
    )
    parser.add_argument("--json", action="store_true", help="print the outcome of every run as JSON")
    parser.set_defaults(run=lambda options: asyncio.run(run(options)))


async def run(options: argparse.Namespace) -> int:
    from signalbox_core.pipeline.contract.discovery import find_installed
    from signalbox_core.temporal import connect

    if options.limit is not None and options.limit < 1:
        raise InvalidInput(f"--limit {options.limit} is too small: use 1 or more", field="limit")
    installed = find_installed()
    if options.pipeline is not None and options.pipeline not in installed.pipelines:
        names = ", ".join(sorted(installed.pipelines)) or "none"
        raise InvalidInput(f"no pipeline {options.pipeline!r} is installed here; installed: {names}")
    client = await connect(
        keys=open_key_ring(os.environ.get(VARIABLE)),
        objects=open_object_store(options.objects) if options.objects else None,
    )
    query = open_runs_query(options.tenant, options.pipeline, options.task_queue)
    replayed = replay_open_runs(
        client, installed.pipelines, query, limit=options.limit, pinned=options.pinned
    )
    outcomes = [outcome async for outcome in replayed]
    if options.json:
        print_line(msgspec.json.encode(outcomes).decode())
    else:
        _print(outcomes, installed.problems)
    has_broken = any(outcome.breaks for outcome in outcomes)
    return EXIT_BREAKS if has_broken or installed.problems else 0


def open_runs_query(tenant: str | None, pipeline: str | None, task_queue: str | None) -> str:
    """Build the visibility query.

    Raises:
        InvalidInput: a value has a quotation mark.
    """
    from signalbox_core.temporal.names import SEARCH_TENANT

    given = {SEARCH_TENANT.name: tenant, "WorkflowType": pipeline, "TaskQueue": task_queue}
    filters = {name: value for name, value in given.items() if value is not None}
    if any("'" in value or "\\" in value for value in filters.values()):
        raise InvalidInput("names contain no quotation marks and backslashes")
    return " AND ".join(
        ["ExecutionStatus = 'Running'", *(f"{name} = '{value}'" for name, value in filters.items())]
    )


async def replay_open_runs(
    client: "Client",
    pipelines: "Mapping[str, PipelineSpec]",
    query: str,
    *,
    limit: int | None = None,
    pinned: bool = False,
) -> AsyncIterator[ReplayOutcome]:
    """Replay every open workflow that the query finds, one after the other, with the code of `pipelines`.

    Args:
        pinned: look up the build to which a run is pinned that would break.

    Raises:
        Unavailable: a payload key or a stored payload is missing.
    """
    replayer, types = _new_replayer(client, pipelines)
    async for found in client.list_workflows(query, limit=limit):
        if found.workflow_type not in types:
            yield _outcome(found, is_checked=False)
            continue
        handle = client.get_workflow_handle(found.id, run_id=found.run_id)
        history = await handle.fetch_history()
        reason = await _replay(replayer, history)
        step = await _latest_step(client, history) if reason else ""
        outcome = _outcome(found, step=step, reason=reason)
        yield await _with_build(handle, outcome) if reason and pinned else outcome


def _new_replayer(
    client: "Client", pipelines: "Mapping[str, PipelineSpec]"
) -> "tuple[Replayer, frozenset[str]]":
    """Build a replayer as workers are built, and the workflow types that it replays."""
    from temporalio.worker import Replayer

    from signalbox_core.pipeline.activity.loader import load_workflows, sandbox
    from signalbox_core.pipeline.workflow.interceptor import RunInterceptor
    from signalbox_core.pipeline.workflow.outbox import OutboxWorkflow
    from signalbox_core.temporal.sealed_messages import mark_unsealed_messages

    specs = {spec.name: spec for parent in pipelines.values() for spec in parent.family}
    workflows = list(
        dict.fromkeys([*(item for spec in specs.values() for item in load_workflows(spec)), OutboxWorkflow])
    )
    names = {getattr(item, _DEFINITION).name for item in workflows}
    converter = client.data_converter
    replayer = Replayer(
        workflows=workflows,
        data_converter=converter,
        header_codec_behavior=client.config()["header_codec_behavior"],
        workflow_runner=mark_unsealed_messages(sandbox(specs.values()), converter),
        interceptors=[RunInterceptor(lambda _event: None)],
    )
    return replayer, frozenset(names)


async def _replay(replayer: "Replayer", history: "WorkflowHistory") -> str:
    """Replay one history; the reason why it fails, or an empty text."""
    reason = ""
    for _ in range(_ATTEMPTS):
        result = await replayer.replay_workflow(history, raise_on_replay_failure=False)
        reason = " ".join(str(result.replay_failure or "").split())[:_MAX_REASON_CHARS]
        if _DEADLOCK not in reason:
            break
    return reason


async def _latest_step(client: "Client", history: "WorkflowHistory") -> str:
    """The step of the latest activity that the run has started."""
    from signalbox_core.pipeline.contract.step_header import read_step_call
    from signalbox_core.temporal.decrypted_history import open_history

    opened: Any = await open_history(history, client.data_converter)
    for event in reversed(opened.events):
        call = read_step_call(event.activity_task_scheduled_event_attributes.header.fields)
        if call is not None and call.step:
            return call.step
    return ""


async def _with_build(handle: "WorkflowHandle[Any, Any]", outcome: ReplayOutcome) -> ReplayOutcome:
    from signalbox_core.temporal.builds import pinned_build

    described = (await handle.describe()).raw_description
    build = pinned_build(described.workflow_execution_info.versioning_info)
    return structs.replace(outcome, pinned_to=build.build_id) if build is not None else outcome


def _outcome(
    found: "WorkflowExecution", *, step: str = "", reason: str = "", is_checked: bool = True
) -> ReplayOutcome:
    return ReplayOutcome(
        tenant=tenant_of(found.id) or "",
        run_id=run_id_of(found.id),
        pipeline=found.workflow_type,
        step=step,
        reason=reason,
        is_checked=is_checked,
    )


def _print(outcomes: list[ReplayOutcome], problems: tuple[str, ...]) -> None:
    for problem in problems:
        print_line(f"not loaded  {problem}")
    for outcome in outcomes:
        if outcome.reason:
            where = f" in step {outcome.step}" if outcome.step else ""
            what = f"protected by build {outcome.pinned_to}" if outcome.pinned_to else "breaks"
            print_line(f"{what}  {outcome.tenant}  {outcome.run_id}  ({outcome.pipeline}){where}")
            print_line(f"        {outcome.reason}")
    unchecked = [outcome for outcome in outcomes if not outcome.is_checked]
    if unchecked:
        types = ", ".join(sorted({outcome.pipeline for outcome in unchecked}))
        print_line(f"not checked, because they are not installed here: {len(unchecked)} of {types}")
    broken = sum(outcome.breaks for outcome in outcomes)
    pinned = sum(bool(outcome.pinned_to) for outcome in outcomes)
    checked = len(outcomes) - len(unchecked)
    protected = f", {pinned} are protected because they are pinned" if pinned else ""
    print_line(f"{checked} open runs replayed: {broken} would break{protected}")
