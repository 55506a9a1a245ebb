"""`python -m support.whole.dbos_worker FOLDER`: DBOS on SQLite. Runs a workflow per line `ID STEPS` of stdin.

Prints `ID` when a workflow has completed.
"""

import asyncio
import sys
from pathlib import Path

from dbos import DBOS, DBOSConfig


@DBOS.step()
async def nothing(number: int) -> int:
    return number


@DBOS.workflow()
async def chain(steps: int) -> int:
    for number in range(steps):
        await nothing(number)
    return steps


async def complete(run_id: str, steps: int) -> None:
    handle = await DBOS.start_workflow_async(chain, steps)
    await handle.get_result()
    sys.stdout.write(f"{run_id}\n")
    sys.stdout.flush()


async def work(folder: Path) -> None:
    database = f"sqlite:///{folder / 'dbos.sqlite'}"
    DBOS(config=DBOSConfig(name="chain", system_database_url=database, log_level="ERROR"))
    DBOS.launch()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    lines = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    running: set[asyncio.Task[None]] = set()
    while line := await lines.readline():
        run_id, steps = line.decode().split()
        task = asyncio.create_task(complete(run_id, int(steps)))
        running.add(task)
        task.add_done_callback(running.discard)


asyncio.run(work(Path(sys.argv[1])))
