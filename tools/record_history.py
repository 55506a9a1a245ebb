"""Record a finished run's history for the replay test.

`python tools/record_history.py PIPELINE RUN_ID --tenant TENANT [--name NAME]`

Take one run per branch of the story (plain, rejected, cancelled, ...). The file goes to
tests/histories/<pipeline>/<name>.json and is replayed by tests/integration/histories; a run that does not
replay with the current code is not recorded. SIGNALBOX_PAYLOAD_KEYS_FILE opens sealed payloads, and --objects
large ones. Record a new one, and keep the old, when the workflow changes with `workflow.patched`.
"""

import argparse
import asyncio
import os
from pathlib import Path

from temporalio.client import Client

from signalbox_core.crypto.sealing import VARIABLE, open_key_ring
from signalbox_core.ids import run_key
from signalbox_core.objects import open_object_store
from signalbox_core.pipeline import PipelineSpec, discover
from signalbox_core.temporal import connect
from signalbox_core.temporal.decrypted_history import open_history
from signalbox_core.testing.histories import history_json, parse_history
from signalbox_core.testing.pipeline import replay

HISTORIES = Path(__file__).parents[1] / "tests" / "histories"


class DoesNotReplay(Exception):
    """The current code does not replay the run, so the recording would fail its test."""


async def record(client: Client, spec: PipelineSpec, workflow_id: str, file: Path) -> int:
    """Write the history as readable JSON.

    Returns:
        The number of its events.

    Raises:
        DoesNotReplay: nothing is written.
    """
    history = await open_history(
        await client.get_workflow_handle(workflow_id).fetch_history(), client.data_converter
    )
    text = history_json(history)
    try:
        await replay(spec, parse_history(text))
    except Exception as error:
        raise DoesNotReplay(f"{workflow_id} does not replay with the current code: {error}") from error
    file.parent.mkdir(parents=True, exist_ok=True)
    await asyncio.to_thread(file.write_text, text, encoding="utf-8")
    return len(history.events)


async def run(options: argparse.Namespace) -> str:
    spec = discover().get(options.pipeline)
    if spec is None:
        raise SystemExit(f"no pipeline {options.pipeline!r} is installed here")
    client = await connect(
        options.address,
        options.namespace,
        keys=open_key_ring(os.environ.get(VARIABLE)),
        objects=open_object_store(options.objects) if options.objects else None,
    )
    file = HISTORIES / options.pipeline / f"{options.name or options.run_id}.json"
    workflow_id = run_key(options.tenant, options.run_id) if options.tenant else options.run_id
    try:
        return f"{file}: {await record(client, spec, workflow_id, file)} events"
    except DoesNotReplay as error:
        raise SystemExit(f"not recorded: {error}") from None


def main() -> None:
    parser = argparse.ArgumentParser(
        allow_abbrev=False, description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("pipeline")
    parser.add_argument("run_id")
    parser.add_argument("--tenant", help="the run's tenant; without it, RUN_ID is taken as a workflow id")
    parser.add_argument("--name", help="the name of the recording (default: the run id)")
    parser.add_argument("--address", default=os.environ.get("TEMPORAL_ADDRESS", "127.0.0.1:7233"))
    parser.add_argument("--namespace", default=os.environ.get("TEMPORAL_NAMESPACE", "default"))
    parser.add_argument(
        "--objects",
        metavar="URL",
        default=os.environ.get("SIGNALBOX_WORKER_OBJECTS_URL"),
        help="the object store of the workers (default: SIGNALBOX_WORKER_OBJECTS_URL)",
    )
    print(asyncio.run(run(parser.parse_args())))


if __name__ == "__main__":
    main()
