"""The demo of ad_creative: turns a page of the demo shop into finished pictures.

Unattended, it approves two variants, rejects the others once, and approves their second version.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from signalbox_client.commands.prompts import choose_first, variants_of
from signalbox_client.commands.runs import save_artifacts
from signalbox_client.models import Approval
from signalbox_client.stream_follower import Update
from signalbox_core.errors import Unavailable
from signalbox_devstack.demo.scenario import (
    DemoContext,
    DemoResult,
    DemoSetup,
    PendingApproval,
    approvals_of_run,
)

_PAGE: Final = "/en/coffee"
_APPROVED_COUNT: Final = 2
_REASON: Final = "Two are enough; make this one about the shipping."


class _Picture(Struct, frozen=True):
    artifact: str


class _Ad(Struct, frozen=True):
    pictures: tuple[_Picture, ...] = ()


class _Result(Struct, frozen=True):
    approved: tuple[_Ad, ...] = ()


class AdCreativeDemo:
    pipeline = "ad_creative"

    def setup(self, environ: Mapping[str, str]) -> DemoSetup:  # noqa: ARG002 - required by the protocol
        return DemoSetup()

    async def prepare(self, context: DemoContext) -> Mapping[str, object]:
        return {"url": f"{context.endpoints.demo_site}{_PAGE}"}

    def pending_approvals(self, update: Update) -> Sequence[PendingApproval]:
        return approvals_of_run(update)

    def answer(self, approval: Approval) -> Mapping[str, object]:
        """Approve two variants of the first round and reject the others; approve everything of the second
        round.
        """
        variants = variants_of(approval)
        if not variants:
            raise Unavailable(
                f"the demo has no predefined answer to {approval.title!r}: run it in a terminal"
            )
        is_first_round = approval.approval_id == approval.name
        return choose_first(
            variants, approve=_APPROVED_COUNT if is_first_round else len(variants), reason=_REASON
        )

    async def finish(self, context: DemoContext, run_id: str) -> DemoResult:
        """Save the pictures of the approved variants."""
        run = await context.session.client.run(run_id)
        result = msgspec.json.decode(await context.session.client.result(run_id), type=_Result)
        approved_names = {picture.artifact for ad in result.approved for picture in ad.pictures}
        pictures = tuple(
            item
            for item in run.artifacts
            if item.media_type == "image/png" and (not approved_names or item.name in approved_names)
        )
        saved = await save_artifacts(context.session, run, pictures, context.folder)
        return DemoResult(
            title=f"{len(saved)} finished pictures", paths=tuple(Path(item.path) for item in saved)
        )
