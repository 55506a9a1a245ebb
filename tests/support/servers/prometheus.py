"""A Prometheus that scrapes a running stack, where the program is installed."""

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import yaml

from signalbox_devstack.stack.child import kill_with_parent
from support.docs.rules import FOLDER
from support.servers.backends import free_port

PROMETHEUS = shutil.which("prometheus")


class RunningPrometheus:
    """The queries of a running Prometheus."""

    def __init__(self, address: str) -> None:
        self._url = f"http://{address}"

    async def query(self, expression: str) -> list[Mapping[str, Any]]:
        """The samples that an expression has now."""
        body = (await self._get("/api/v1/query", query=expression)).json()
        assert body["status"] == "success", f"{expression}: {body}"
        return list(body["data"]["result"])

    async def rules(self) -> list[Mapping[str, Any]]:
        groups = (await self._get("/api/v1/rules")).json()["data"]["groups"]
        return [rule for group in groups for rule in group["rules"]]

    async def is_ready(self) -> bool:
        try:
            return (await self._get("/-/ready")).status_code == httpx2.codes.OK
        except httpx2.TransportError:
            return False

    async def _get(self, path: str, **params: str) -> httpx2.Response:
        async with httpx2.AsyncClient(base_url=self._url, trust_env=False, timeout=30) as client:
            return await client.get(path, params=params)


@contextmanager
def running_prometheus(folder: Path, targets: Mapping[str, list[str]]) -> Iterator[RunningPrometheus]:
    """Scrape and evaluate every second, with the project's rules.

    Args:
        targets: `host:port` by job.
    """
    assert PROMETHEUS is not None
    config, address = folder / "prometheus.yaml", f"127.0.0.1:{free_port()}"
    jobs = [
        {"job_name": job, "static_configs": [{"targets": addresses}]} for job, addresses in targets.items()
    ]
    config.write_text(
        yaml.safe_dump(
            {
                "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
                "rule_files": [str(FOLDER / "rules.yaml")],
                "scrape_configs": jobs,
            }
        )
    )
    options = [f"--config.file={config}", f"--storage.tsdb.path={folder / 'data'}"]
    with (
        (folder / "prometheus.log").open("wb") as log,
        subprocess.Popen(
            [PROMETHEUS, *options, f"--web.listen-address={address}"],
            stdout=log,
            stderr=log,
            preexec_fn=kill_with_parent(os.getpid()),  # noqa: PLW1509
        ) as process,
    ):
        try:
            yield RunningPrometheus(address)
        finally:
            process.terminate()
