"""A taxpayer's turn: one import at a time. A workflow of the taxpayer's own id is the turn, as the server gives an id once."""

from contextlib import suppress
from datetime import timedelta
from typing import Final
from urllib.parse import quote

from temporalio import workflow
from temporalio.exceptions import ApplicationError, FailureError, WorkflowAlreadyStartedError

from signalbox_core.errors import Unavailable
from signalbox_core.pipeline.options import CallOptions
from signalbox_pipelines.invoice_import.activities import InvoiceActivities
from signalbox_pipelines.invoice_import.messages import Account, HolderRequest

KEEP: Final = CallOptions(timeout=timedelta(minutes=1), maximum_attempts=8)
FREE: Final = "free"
MAX_TRIES: Final = 5


@workflow.defn(name="invoice_import.turn")
class ImportTurn:
    """Stands for the one import of a taxpayer that may be under way; no run, nobody watches it."""

    def __init__(self) -> None:
        self.is_free = False

    @workflow.signal(name=FREE)
    def free(self) -> None:
        self.is_free = True

    @workflow.run
    async def run(self) -> None:
        await workflow.wait_condition(lambda: self.is_free)


def turn_id(account: Account) -> str:
    return f"invoice_import/{quote(account.tenant, safe='')}/{account.tax_code}"


async def take_turn(account: Account) -> None:
    """Have the taxpayer's turn from here on, beyond this execution.

    Raises:
        ActivityError: `import_running`: another run has it.
    """
    for _ in range(MAX_TRIES):
        with suppress(WorkflowAlreadyStartedError):
            await workflow.start_child_workflow(
                ImportTurn.run,
                id=turn_id(account),
                parent_close_policy=workflow.ParentClosePolicy.ABANDON,
                cancellation_type=workflow.ChildWorkflowCancellationType.ABANDON,
                memo={"holder": account.run_id},
            )
            return
        await workflow.execute_activity_method(
            InvoiceActivities.find_holder,
            HolderRequest(account=account, turn_id=turn_id(account)),
            start_to_close_timeout=KEEP.timeout,
            retry_policy=KEEP.retry_policy,
        )
    raise Unavailable(
        f"the turn of {account.tax_code} is taken again and again; start the import later",
        code="import_running",
    )


async def give_turn_back(account: Account) -> None:
    with suppress(ApplicationError, FailureError):
        await workflow.get_external_workflow_handle(turn_id(account)).signal(FREE)
