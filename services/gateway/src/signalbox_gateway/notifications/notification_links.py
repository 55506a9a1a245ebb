"""The links of notifications: to the console, and to decide where the pipeline's contract permits links."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from signalbox_core.events.snapshot import ApprovalState, Snapshot
from signalbox_core.pipeline.spec import PipelineSpec
from signalbox_core.process.followed_file import FollowedFile
from signalbox_gateway.auth.decision_links import DecisionLink, LinkKeys
from signalbox_gateway.notifications.destination import LinkRecipient

_LONGEST: Final = timedelta(days=30)


class NotificationLinks:
    """Makes links.

    Args:
        origin: the address of this gateway; the page at `/decide` reads the token from the URL's fragment.
        keys: None when this deployment makes no decision links.
    """

    def __init__(
        self, origin: str, pipelines: Mapping[str, PipelineSpec], keys: FollowedFile[LinkKeys] | None
    ) -> None:
        self.origin = origin
        self._pipelines = pipelines
        self._keys = keys

    def decision_link(
        self, snapshot: Snapshot, state: ApprovalState, recipient: LinkRecipient, now: datetime
    ) -> str | None:
        """Make the decision link of one recipient; None if it may not decide by link."""
        spec = self._pipelines.get(snapshot.pipeline)
        permitted = {item.name for item in spec.approvals if item.links} if spec is not None else set()
        # Who decides by link has no account, and so no passkey.
        is_signed = state.policy is not None and bool(state.policy.require_signature)
        if self._keys is None or state.name not in permitted or is_signed:
            return None
        expires_at = now + _LONGEST
        if state.deadline_at is not None:
            expires_at = min(expires_at, state.deadline_at)
        link = DecisionLink(
            tenant=snapshot.tenant,
            run_id=snapshot.run_id,
            approval_id=state.approval_id,
            digest=state.digest,
            to=recipient.to,
            groups=recipient.groups,
            expires_at=expires_at,
        )
        return f"{self.origin}/decide#{self._keys.current().sign(link)}"
