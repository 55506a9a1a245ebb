"""Record a finished run's history for the replay test.

`python tools/record_history.py PIPELINE RUN_ID --tenant TENANT [--name NAME]`

Take one run per branch of the story (plain, rejected, cancelled, ...). The file goes to
tests/histories/<pipeline>/<name>.json and is
replayed by tests/integration/histories. SIGNALBOX_PAYLOAD_KEYS_FILE opens sealed payloads. Record a new one,
and keep the old, when the
workflow changes with `workflow.patched`.
"""

import argparse
import asyncio
import os
from pathlib import Path

from signalbox_core.crypto.sealing import VARIABLE, open_key_ring
from signalbox_core.ids import run_key
from signalbox_core.temporal import connect
from signalbox_core.temporal.decrypted_history import open_history
from signalbox_core.testing.pipeline import history_json

HISTORIES = Path(__file__).parents[1] / "tests" / "histories"


async def record(address: str, namespace: str, workflow_id: str, file: Path) -> int:
    """Write the history as readable JSON; the number of its events."""
    keys = open_key_ring(os.environ.get(VARIABLE))
    client = await connect(address, namespace, keys=keys)
    history = await open_history(
        await client.get_workflow_handle(workflow_id).fetch_history(), client.data_converter
    )
    file.parent.mkdir(parents=True, exist_ok=True)
    await asyncio.to_thread(file.write_text, history_json(history), encoding="utf-8")
    return len(history.events)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("pipeline")
    parser.add_argument("run_id")
    parser.add_argument("--tenant", help="the run's tenant; without it, RUN_ID is taken as a workflow id")
    parser.add_argument("--name", help="the name of the recording (default: the run id)")
    parser.add_argument("--address", default=os.environ.get("TEMPORAL_ADDRESS", "127.0.0.1:7233"))
    parser.add_argument("--namespace", default=os.environ.get("TEMPORAL_NAMESPACE", "default"))
    options = parser.parse_args()
    file = HISTORIES / options.pipeline / f"{options.name or options.run_id}.json"
    workflow_id = run_key(options.tenant, options.run_id) if options.tenant else options.run_id
    count = asyncio.run(record(options.address, options.namespace, workflow_id, file))
    print(f"{file}: {count} events")


if __name__ == "__main__":
    main()
