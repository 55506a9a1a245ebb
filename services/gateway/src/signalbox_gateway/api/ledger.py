"""The ledger: a tenant's checkpoint with consistency proofs, its entries, and the receipts of approvals."""

from base64 import b64encode
from collections.abc import Sequence
from typing import Annotated

from msgspec import Meta, Struct
from starlette.responses import Response

from signalbox_core.errors import InvalidInput, NotFound
from signalbox_core.ledger.layout import LogKeys, TileReader
from signalbox_core.ledger.merkle import consistency_path
from signalbox_core.ledger.notes import NoteVerifier, parse_checkpoint
from signalbox_core.ledger.receipts import read_receipt
from signalbox_core.objects import ObjectStore
from signalbox_gateway.api.activity import list_activity
from signalbox_gateway.api.artifacts import content_disposition
from signalbox_gateway.api.endpoint import ApiCall, json_response


class ReadLedger(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`since`: the size of an earlier checkpoint; the response proves that the log extends it."""

    since: Annotated[int, Meta(ge=1)] | None = None


class LedgerView(Struct, frozen=True, kw_only=True):
    """The newest checkpoint of the tenant's log, a signed note.

    `public_keys` are the keys that sign it; obtain them through another channel too before you rely on them.
    `consistency` has the hashes of the proof (RFC 6962), base64; null without `since`.
    """

    checkpoint: str
    size: int
    public_keys: tuple[str, ...]
    consistency: tuple[str, ...] | None


class LedgerHandlers:
    """The handlers of /v1/ledger, /v1/activity and the receipts.

    Args:
        verifiers: the public keys of this gateway's log; empty when it keeps no ledger.
    """

    def __init__(self, store: ObjectStore, verifiers: Sequence[NoteVerifier]) -> None:
        self._store = store
        self._verifiers = tuple(verifiers)

    async def show(self, call: ApiCall) -> Response:
        self._require_ledger()
        since, keys = call.query(ReadLedger).since, LogKeys(call.principal.tenant)
        try:
            note = (await self._store.get(keys.checkpoint)).decode()
        except NotFound:
            raise NotFound("the ledger has no entries yet", code="ledger_empty") from None
        size = parse_checkpoint(note).size
        if since is not None and since > size:
            raise InvalidInput(f"the log has {size} entries, fewer than {since}", field="since")
        hashes = (
            None
            if since is None
            else await TileReader(self._store, keys).span_hashes(consistency_path(since, size), size)
        )
        return json_response(
            LedgerView(
                checkpoint=note,
                size=size,
                public_keys=tuple(verifier.text for verifier in self._verifiers),
                consistency=None if hashes is None else tuple(b64encode(value).decode() for value in hashes),
            )
        )

    async def activity(self, call: ApiCall) -> Response:
        self._require_ledger()
        return await list_activity(self._store, call)

    async def receipt(self, call: ApiCall) -> Response:
        """Read from the tenant's own log, so it also works when the run itself is not kept any more."""
        self._require_ledger()
        run_id, approval_id = call.param("run_id"), call.param("approval_id")
        try:
            receipt = await read_receipt(self._store, call.principal.tenant, run_id, approval_id)
        except NotFound:
            raise NotFound(
                f"the ledger has no outcome of approval {approval_id[:128]!r} of run {run_id[:128]!r}; "
                "an outcome is recorded within seconds of the decision",
                code="no_receipt",
            ) from None
        name = content_disposition(f"receipt-{run_id}-{approval_id}.json", inline=False)
        return json_response(receipt, headers={"content-disposition": name})

    def _require_ledger(self) -> None:
        if not self._verifiers:
            raise NotFound(
                "this deployment has no ledger; set SIGNALBOX_GATEWAY_LEDGER_KEY_FILE to enable it",
                code="no_ledger",
            )
