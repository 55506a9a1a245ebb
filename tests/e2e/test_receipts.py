"""A decision of the running stack has a receipt, which the operator's command verifies offline."""

import os
import subprocess
import sys
from pathlib import Path

from signalbox_client import AsyncSignalbox
from support.assertions.eventually import eventually
from support.drivers.journeys import approve_all, start_ads
from support.servers.stack import RunningStack

PROGRAMS = Path(sys.executable).parent


def run(program: str, *arguments: str, environ: dict[str, str]) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [PROGRAMS / program, *arguments],
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
        env=os.environ | environ,
    )


async def test_a_decision_has_a_receipt_that_verifies_offline(
    stack: RunningStack, client: AsyncSignalbox, tmp_path: Path
) -> None:
    endpoints, receipt = stack.endpoints, tmp_path / "receipt.json"
    environ = {
        "SIGNALBOX_URL": str(endpoints.gateway),
        "SIGNALBOX_API_KEY": endpoints.api_keys["admin"],
    }
    run_id = await start_ads(stack, client)
    assert await approve_all(client, run_id) == "completed"

    await eventually(
        lambda: (
            not run(
                "signalbox", "receipt", run_id, "variants", "--to", str(receipt), environ=environ
            ).returncode
        ),
        within_s=60,
        every_s=1,
    )
    public_key = str(stack.folder / "keys/ledger.pub")
    log = str(stack.folder / "objects/ledger/demo")
    verify = ("audit", "verify", str(receipt), "--log", log, "--public-key", public_key)
    verified = run("signalbox-admin", *verify, environ={})
    assert verified.returncode == 0, verified.stderr
    assert f"approval.decided of approval variants of run {run_id}" in verified.stdout
    assert "question: " in verified.stdout
    assert 'name: "Development admin"' in verified.stdout
