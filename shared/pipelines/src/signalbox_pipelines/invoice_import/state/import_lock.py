"""The lock that allows one import per taxpayer at a time.

The lock is a workflow with an id made from the taxpayer, since Temporal runs one workflow per id.
"""

from contextlib import suppress
from datetime import timedelta
from typing import Final
from urllib.parse import quote

from temporalio import workflow
from temporalio.exceptions import ApplicationError, FailureError, WorkflowAlreadyStartedError

from signalbox_core.errors import Unavailable
from signalbox_core.pipeline.options import CallOptions
from signalbox_pipelines.invoice_import.activities import InvoiceActivities
from signalbox_pipelines.invoice_import.messages import ImportAccount, LockOwnerRequest

STORAGE: Final = CallOptions(timeout=timedelta(minutes=1), maximum_attempts=8)
RELEASE: Final = "free"
MAX_TRIES: Final = 5


@workflow.defn(name="invoice_import.turn")
class ImportLock:
    """Runs while an import holds the lock of a taxpayer. Not a run: it has no stream."""

    def __init__(self) -> None:
        self.is_released = False

    @workflow.signal(name=RELEASE)
    def release(self) -> None:
        self.is_released = True

    @workflow.run
    async def run(self) -> None:
        await workflow.wait_condition(lambda: self.is_released)


def lock_id(account: ImportAccount) -> str:
    return f"invoice_import/{quote(account.tenant, safe='')}/{account.tax_code}"


async def acquire_import_lock(account: ImportAccount) -> None:
    """Acquire the lock; it is held across continue-as-new, until it is released.

    Raises:
        ActivityError: `import_running`: another run holds it.
        Unavailable: `import_running`: other runs took it on each attempt.
    """
    for _ in range(MAX_TRIES):
        with suppress(WorkflowAlreadyStartedError):
            await workflow.start_child_workflow(
                ImportLock.run,
                id=lock_id(account),
                parent_close_policy=workflow.ParentClosePolicy.ABANDON,
                cancellation_type=workflow.ChildWorkflowCancellationType.ABANDON,
                memo={"holder": account.run_id},
            )
            return
        await workflow.execute_activity_method(
            InvoiceActivities.check_lock_holder,
            LockOwnerRequest(account=account, turn_id=lock_id(account)),
            start_to_close_timeout=STORAGE.timeout,
            retry_policy=STORAGE.retry_policy,
        )
    raise Unavailable(
        f"other imports of {account.tax_code} keep starting; start this one later",
        code="import_running",
    )


async def release_import_lock(account: ImportAccount) -> None:
    with suppress(ApplicationError, FailureError):
        await workflow.get_external_workflow_handle(lock_id(account)).signal(RELEASE)
