"""The activity that enters a wait at the mailbox of its business key; every worker registers it."""

from typing import Final

from msgspec import Struct
from temporalio import activity
from temporalio.client import Client

from signalbox_core.pipeline.contract.external_event import OPEN_WAIT, MailboxAddress, MailboxWait
from signalbox_core.pipeline.workflow.external.mailbox_client import signal_mailbox

OPEN_WAIT_ACTIVITY: Final = "signalbox.open_wait"


class OpenWaitRequest(Struct, frozen=True, kw_only=True):
    """A wait, and the mailbox that it enters."""

    address: MailboxAddress
    wait: MailboxWait


class MailboxActivities:
    """The activity, with the worker's client."""

    def __init__(self, client: Client) -> None:
        self._client = client

    @activity.defn(name=OPEN_WAIT_ACTIVITY)
    async def open_wait(self, request: OpenWaitRequest) -> None:
        """Signal the mailbox, and start it if there is none. Idempotent by the wait."""
        queue = activity.info().task_queue
        await signal_mailbox(self._client, request.address, queue, OPEN_WAIT, request.wait)
