"""Lists, decides and proves approvals, and manages passkeys. A base of the asyncio client."""

from collections.abc import Iterable

from signalbox_client import models, requests
from signalbox_client.async_run_control import AsyncRunControl
from signalbox_client.shown_question import verified_digest
from signalbox_client.wire.http_options import encode_raw
from signalbox_client.wire.passkey_models import Passkey


class AsyncApprovalMethods(AsyncRunControl):
    """The methods of approvals."""

    async def approvals(self, *, mine: bool = False) -> tuple[models.InboxEntry, ...]:
        """List all approvals that are pending, oldest first. Reads page by page.

        Args:
            mine: only those that you may answer and have not answered yet.
        """
        found: list[models.InboxEntry] = []
        cursor: str | None = None
        while True:
            inbox = await self._connection.send(requests.list_approvals(cursor, mine=mine))
            found += inbox.approvals
            cursor = inbox.next_cursor
            if cursor is None:
                return tuple(found)

    async def decided_approvals(self, *, limit: int = 50) -> tuple[models.InboxEntry, ...]:
        """List the latest decided approvals, newest first: at most 200, until 7 days after the run's end."""
        return (await self._connection.send(requests.list_decided(limit))).approvals

    async def approval(self, run_id: str, approval_id: str) -> models.Approval:
        """Get one approval: its question, evidence and decisions."""
        return await self._connection.send(requests.get_approval(run_id, approval_id))

    async def decide(
        self,
        run_id: str,
        approval_id: str,
        answer: object,
        *,
        shown: models.Approval | None = None,
        digest: str | None = None,
        note: str | None = None,
    ) -> models.Decided:
        """Answer an approval.

        Args:
            answer: a JSON object that the approval's schema accepts.
            shown: the approval as you read it and showed it. Its digest is computed here, and nothing is sent
                if the gateway gave another one.
            digest: without `shown`, the `digest` of the approval as you read it. The answer is refused if it
                has changed.
            note: a comment that is stored with the decision.

        Returns:
            With status `counted` when the approval's policy needs further votes.

        Raises:
            InvalidInput: the answer breaks the schema; the approval stays pending.
            Conflict: it is already decided, or the digest is stale; `digest_mismatch` if `shown` is not what
                its digest is of.
            Forbidden: the approval's policy does not let you decide.
        """
        digest = verified_digest(shown) if shown is not None else digest
        decision = requests.new_decision(encode_raw(answer), digest=digest, note=note)
        return await self._connection.send(requests.decide(run_id, approval_id, decision))

    async def decide_many(
        self,
        approvals: Iterable[tuple[str, models.Approval]],
        answer: object,
        *,
        note: str | None = None,
        dry_run: bool = False,
    ) -> tuple[models.BulkOutcome, ...]:
        """Give many approvals the same answer, each with the digest of the approval as you read it.

        The digests are computed here. A decision that is refused does not stop the others.

        Args:
            approvals: each with the id of its run.
            dry_run: return the outcome that each decision would have; nothing is decided.

        Returns:
            One outcome for each approval, in their order.

        Raises:
            Conflict: `digest_mismatch`: an approval is not what its digest is of; nothing was sent.
        """
        decisions = requests.new_decisions(approvals, encode_raw(answer), note=note)
        found: list[models.BulkOutcome] = []
        for part in requests.batches(decisions):
            outcomes = await self._connection.send(requests.decide_many(part, dry_run=dry_run))
            found += outcomes.results
        return tuple(found)

    async def raise_objection(
        self,
        run_id: str,
        approval_id: str,
        reason: str,
        *,
        shown: models.Approval | None = None,
        digest: str | None = None,
    ) -> models.Decided:
        """Object to an approval.

        Args:
            shown, digest: as of `decide`.

        Returns:
            With status `vetoed` when the approval's policy gives your group a veto, which ends it.

        Raises:
            Conflict: it has an outcome, or the digest is stale; `digest_mismatch` as of `decide`.
            Forbidden: the approval's policy does not let you vote.
        """
        digest = verified_digest(shown) if shown is not None else digest
        return await self._connection.send(
            requests.raise_objection(run_id, approval_id, reason, digest=digest)
        )

    async def claim(self, run_id: str, approval_id: str) -> models.Assigned:
        """Claim an approval for 15 minutes, so that others see who deals with it.

        Raises:
            Conflict: another subject has claimed it (`claimed`), or it is not open.
        """
        return await self._connection.send(requests.assign(run_id, approval_id, "claim"))

    async def release(self, run_id: str, approval_id: str) -> models.Assigned:
        """Give up a claim."""
        return await self._connection.send(requests.assign(run_id, approval_id, "release"))

    async def delegate(
        self, run_id: str, approval_id: str, to: str, *, note: str | None = None
    ) -> models.Assigned:
        """Ask another subject to decide. The approval's policy applies to its vote like to any other.

        Args:
            to: a subject (`key:<key id>`, `<issuer>#<subject>`), or `group:<name>`.
        """
        body = {"to": to} | ({"note": note} if note else {})
        return await self._connection.send(requests.assign(run_id, approval_id, "delegate", body))

    async def receipt(self, run_id: str, approval_id: str) -> bytes:
        """Download the receipt of an approval's outcome, which `signalbox-admin audit verify` checks.

        Raises:
            NotFound: `no_receipt` until the ledger has the outcome, seconds after the decision; `no_ledger`
                when the deployment keeps none.
        """
        return await self._connection.fetch(requests.get_receipt(run_id, approval_id))

    async def passkeys(self, *, subject: str | None = None) -> tuple[Passkey, ...]:
        """List your passkeys, oldest first, or as an admin those of another subject.

        Raises:
            Forbidden: `passkeys_disabled` when the deployment uses none.
        """
        return (await self._connection.send(requests.list_passkeys(subject))).passkeys

    async def revoke_passkey(self, passkey_id: str) -> None:
        """Revoke a passkey permanently: your own, or as an admin anyone's. Decisions it signed stay valid.

        Raises:
            NotFound: `passkey_unknown`.
        """
        await self._connection.fetch(requests.revoke_passkey(passkey_id))
