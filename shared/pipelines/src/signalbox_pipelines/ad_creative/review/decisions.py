"""What a person's decisions mean for the variants that were asked. Pure."""

from collections.abc import Sequence

from msgspec import Struct
from msgspec.structs import replace

from signalbox_core.errors import InvalidInput
from signalbox_pipelines.ad_creative.contract import Rejection, VariantDecision, VariantDecisions
from signalbox_pipelines.ad_creative.messages import Copy, Drawn, Redo


class Outcome(Struct, frozen=True, kw_only=True):
    """The variants sorted by what happens next: published, drawn again with new text, written anew, dropped for good."""

    approved: tuple[Drawn, ...]
    edited: tuple[Drawn, ...]
    redone: tuple[tuple[Drawn, Redo], ...]
    rejected: tuple[Rejection, ...]


def check_decisions(answer: VariantDecisions, asked: Sequence[Drawn]) -> None:
    """Every asked variant decided once, nothing else, and each decision complete.

    Raises:
        InvalidInput: its field is the path in the answer, `decisions[1].variant`.
    """
    known = {drawn.ad.variant: drawn for drawn in asked}
    seen: set[str] = set()
    for index, decision in enumerate(answer.decisions):
        where = f"decisions[{index}]"
        if decision.variant not in known:
            detail = f"there is no variant {decision.variant!r} to decide; choose from {', '.join(known)}"
            raise InvalidInput(detail, field=f"{where}.variant")
        if decision.variant in seen:
            raise InvalidInput(
                f"{decision.variant} is decided twice; give one decision for it", field=f"{where}.variant"
            )
        seen.add(decision.variant)
        _check_one(decision, known[decision.variant], where)
    missing = [variant for variant in known if variant not in seen]
    if missing:
        raise InvalidInput(f"{missing[0]} is not decided; approve, edit or reject it", field="decisions")


def sort_out(answer: VariantDecisions, asked: Sequence[Drawn], *, redo_rounds: int) -> Outcome:
    """A checked answer applied; a variant rejected more than `redo_rounds` times is dropped."""
    by_variant = {decision.variant: decision for decision in answer.decisions}
    approved, edited, redone, rejected = [], [], [], []
    for drawn in asked:
        decision = by_variant[drawn.ad.variant]
        if decision.action == "approve":
            approved.append(drawn)
        elif decision.action == "edit":
            edited.append(replace(drawn, copy=_edited(drawn.copy, decision)))
        elif drawn.copy.round < redo_rounds:
            redone.append((drawn, _redo(drawn, decision)))
        else:
            rejected.append(
                Rejection(variant=drawn.ad.variant, reason=decision.reason or "", headline=drawn.ad.headline)
            )
    return Outcome(
        approved=tuple(approved), edited=tuple(edited), redone=tuple(redone), rejected=tuple(rejected)
    )


def _check_one(decision: VariantDecision, drawn: Drawn, where: str) -> None:
    if decision.action == "reject" and not (decision.reason or "").strip():
        raise InvalidInput(
            f"{decision.variant} is rejected without a reason; say what should be better",
            field=f"{where}.reason",
        )
    if decision.action != "edit":
        return
    texts = {"headline": decision.headline, "body": decision.body, "cta": decision.cta}
    if all(text is None for text in texts.values()):
        raise InvalidInput(
            f"{decision.variant} is edited without new text; give headline, body or cta",
            field=f"{where}.headline",
        )
    for name in ("headline", "cta"):
        text = texts[name]
        if text is not None and not text.strip():
            raise InvalidInput(
                f"{decision.variant}: {name} is empty; write something or leave it out",
                field=f"{where}.{name}",
            )
    if _edited(drawn.copy, decision).version == drawn.copy.version:
        raise InvalidInput(
            f"{decision.variant}: the edit changes nothing; approve it instead", field=f"{where}.action"
        )


def _edited(copy: Copy, decision: VariantDecision) -> Copy:
    changes = {
        name: " ".join(text.split())
        for name, text in (("headline", decision.headline), ("body", decision.body), ("cta", decision.cta))
        if text is not None and " ".join(text.split()) != getattr(copy, name)
    }
    return (
        replace(
            copy, version=copy.version + 1, written_by=f"{copy.written_by}, edited by a person", **changes
        )
        if changes
        else copy
    )


def _redo(drawn: Drawn, decision: VariantDecision) -> Redo:
    copy = drawn.copy
    return Redo(
        variant=copy.variant,
        version=copy.version,
        angle=copy.angle,
        headline=copy.headline,
        reason=decision.reason or "",
        style=copy.style,
        round=copy.round,
    )
