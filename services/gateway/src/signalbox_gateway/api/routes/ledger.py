"""Routes of the ledger: the checkpoint, the receipt of an approval, and the entries for people."""

from signalbox_core.crypto.api_keys import Role
from signalbox_core.ledger.receipts import Receipt
from signalbox_gateway.api.activity import ActivityPageView, ListActivity
from signalbox_gateway.api.endpoint import Endpoint, Reply
from signalbox_gateway.api.ledger import LedgerHandlers, LedgerView, ReadLedger
from signalbox_gateway.api.routes.replies import INVALID_QUERY, problem


def ledger_routes(ledger: LedgerHandlers) -> tuple[Endpoint, ...]:
    return (
        Endpoint(
            method="GET",
            path="/v1/runs/{run_id}/approvals/{approval_id}/receipt",
            name="get_receipt",
            summary="Get the receipt of an approval's outcome, which `signalbox-admin audit verify` checks",
            role=Role.VIEWER,
            handle=ledger.receipt,
            replies=(
                Reply(200, "The ledger entry, its inclusion proof and the checkpoint", Receipt),
                problem(404, "The ledger has no outcome of this approval, or no ledger is kept"),
            ),
        ),
        Endpoint(
            method="GET",
            path="/v1/ledger",
            name="get_ledger",
            summary="Get the newest checkpoint of the tenant's ledger; `since` adds a consistency proof",
            role=Role.VIEWER,
            handle=ledger.show,
            query=ReadLedger,
            replies=(
                Reply(200, "The checkpoint", LedgerView),
                problem(404, "The ledger is empty, or no ledger is kept"),
                INVALID_QUERY,
            ),
        ),
        Endpoint(
            method="GET",
            path="/v1/activity",
            name="list_activity",
            summary="List who decided, intervened or changed what, newest first",
            role=Role.VIEWER,
            handle=ledger.activity,
            query=ListActivity,
            replies=(
                Reply(200, "Entries of the tenant's ledger", ActivityPageView),
                problem(404, "No ledger is kept"),
                INVALID_QUERY,
            ),
        ),
    )
