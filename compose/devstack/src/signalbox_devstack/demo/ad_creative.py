"""The demo of ad_creative: a page of the demo shop becomes finished pictures; two variants are approved, the others redone once."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from signalbox_client.cli_runs import save_artifacts
from signalbox_client.models import Approval
from signalbox_client.prompts import choose_first, variants_of
from signalbox_client.stream_follower import Update
from signalbox_core.errors import Unavailable
from signalbox_devstack.demo.scenario import Ending, Question, Setup, Stage, own_questions

_PAGE: Final = "/en/coffee"
_APPROVED: Final = 2
_REASON: Final = "Two are enough; make this one about the shipping."


class _Picture(Struct, frozen=True):
    artifact: str


class _Ad(Struct, frozen=True):
    pictures: tuple[_Picture, ...] = ()


class _Result(Struct, frozen=True):
    approved: tuple[_Ad, ...] = ()


class AdCreative:
    pipeline = "ad_creative"

    def setup(self, environ: Mapping[str, str]) -> Setup:  # noqa: ARG002 - the protocol's
        return Setup()

    async def prepare(self, stage: Stage) -> Mapping[str, object]:
        return {"url": f"{stage.endpoints.demo_site}{_PAGE}"}

    def questions(self, update: Update) -> Sequence[Question]:
        return own_questions(update)

    def answer(self, approval: Approval) -> Mapping[str, object]:
        """The first time two variants are approved, the others rejected with a reason; what comes back better is approved."""
        variants = variants_of(approval)
        if not variants:
            raise Unavailable(f"the demo has no standing answer to {approval.title!r}: run it on a terminal")
        is_first = approval.approval_id == approval.name
        return choose_first(variants, approve=_APPROVED if is_first else len(variants), reason=_REASON)

    async def finish(self, stage: Stage, run_id: str) -> Ending:
        """The pictures of the approved variants."""
        run = await stage.session.client.run(run_id)
        result = msgspec.json.decode(await stage.session.client.result(run_id), type=_Result)
        wanted = {picture.artifact for ad in result.approved for picture in ad.pictures}
        chosen = tuple(
            item
            for item in run.artifacts
            if item.media_type == "image/png" and (not wanted or item.name in wanted)
        )
        saved = await save_artifacts(stage.session, run, chosen, stage.folder)
        return Ending(title=f"{len(saved)} finished pictures", paths=tuple(Path(item.path) for item in saved))
