"""An emulated indexed Job: runs a pod per index, applies the failure policy and replaces evicted pods."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from signalbox_devstack.emulators.job_execution import JobExecution

DEFAULT_BACKOFF_LIMIT: Final = 6


class FailureAction(StrEnum):
    """The actions of `spec.podFailurePolicy` for a failed pod."""

    COUNT = "Count"
    IGNORE = "Ignore"
    FAIL_INDEX = "FailIndex"
    FAIL_JOB = "FailJob"


def select_failure_action(spec: Mapping[str, Any], *, evicted: bool) -> FailureAction:
    """The action of the first rule that matches; rules on exit codes are not implemented."""
    for rule in spec.get("podFailurePolicy", {}).get("rules", []):
        for condition in rule.get("onPodConditions", []):
            is_set = condition.get("status", "True") == "True"
            if condition["type"] == "DisruptionTarget" and is_set == evicted:
                return FailureAction(rule["action"])
    return FailureAction.COUNT


def find_spec_problem(spec: Mapping[str, Any]) -> str | None:
    """Why the API server rejects the spec, or None. Checks only the rules that burst Jobs depend on."""
    if "backoffLimitPerIndex" in spec and spec.get("completionMode") != "Indexed":
        return "spec.backoffLimitPerIndex: may only be set when completionMode is Indexed"
    if "podFailurePolicy" in spec and spec["template"]["spec"].get("restartPolicy") != "Never":
        return "spec.template.spec.restartPolicy: only Never is supported with podFailurePolicy"
    return None


class IndexedJob:
    """One Job; each pod is a process.

    Args:
        command: what each pod runs; empty: it waits until the Job is cancelled.
        log: file for the output of all pods.
    """

    def __init__(self, name: str, spec: Mapping[str, Any], command: Sequence[str], log: Path | None) -> None:
        self.name = name
        self.created_at = datetime.now(UTC)
        self.ended_at: datetime | None = None
        self.succeeded = 0
        self.failed = 0
        self.failed_indexes: set[int] = set()
        self._spec = spec
        self._command = command
        self._log = log
        self._pods: dict[int, JobExecution] = {}
        self._evicted: set[int] = set()
        self._failures: dict[int, int] = {}
        self._cancelled = False
        self._job_failed = False

    @property
    def active(self) -> int:
        return sum(pod.running_count for pod in self._pods.values())

    @property
    def has_failed(self) -> bool:
        return self._job_failed or self._cancelled or bool(self.failed_indexes)

    async def run(self) -> None:
        """Run until every index has succeeded or has no retries left."""
        async with asyncio.TaskGroup() as group:
            for index in range(int(self._spec.get("completions", 1))):
                group.create_task(self._run_index(index))
        self.ended_at = datetime.now(UTC)

    def cancel(self) -> None:
        """Stop every pod and replace none."""
        self._cancelled = True
        self._stop_pods()

    def evict(self, index: int) -> bool:
        """Stop one pod as a disruption.

        Returns:
            False: the index has no running pod.
        """
        pod = self._pods.get(index)
        if pod is None or not pod.running_count:
            return False
        self._evicted.add(index)
        pod.cancel()
        return True

    async def _run_index(self, index: int) -> None:
        while (left_s := self._seconds_left()) > 0 and not self._is_ending():
            pod = self._pods[index] = self._pod(index, left_s)
            await pod.run()
            if pod.counts["succeeded"]:
                self.succeeded += 1
                return
            if not self._is_ending() and not self._retries(index):
                return
        self.failed_indexes.add(index)

    def _retries(self, index: int) -> bool:
        """Apply the failure policy to the failed pod.

        Returns:
            True: the index gets another pod.
        """
        evicted = index in self._evicted
        self._evicted.discard(index)
        action = select_failure_action(self._spec, evicted=evicted)
        if action is FailureAction.IGNORE:
            return True
        self.failed += 1
        self._failures[index] = self._failures.get(index, 0) + 1
        per_index = self._spec.get("backoffLimitPerIndex")
        if action is FailureAction.FAIL_INDEX or (
            per_index is not None and self._failures[index] > per_index
        ):
            self.failed_indexes.add(index)
            return False
        limit = self._spec.get("backoffLimit", DEFAULT_BACKOFF_LIMIT if per_index is None else None)
        if action is FailureAction.FAIL_JOB or (limit is not None and self.failed > limit):
            self._job_failed = True
            self.failed_indexes.add(index)
            self._stop_pods()
            return False
        return True

    def _pod(self, index: int, left_s: float) -> JobExecution:
        container = self._spec["template"]["spec"]["containers"][0]
        given = {entry["name"]: str(entry.get("value", "")) for entry in container.get("env", [])}
        return JobExecution(
            f"{self.name}-{index}",
            lambda _: {**given, "JOB_COMPLETION_INDEX": str(index)},
            count=1,
            timeout_s=left_s,
            command=self._command,
            log=self._log,
        )

    def _seconds_left(self) -> float:
        deadline_s = float(self._spec.get("activeDeadlineSeconds", 86_400))
        return deadline_s - (datetime.now(UTC) - self.created_at).total_seconds()

    def _is_ending(self) -> bool:
        return self._cancelled or self._job_failed

    def _stop_pods(self) -> None:
        for pod in self._pods.values():
            pod.cancel()
