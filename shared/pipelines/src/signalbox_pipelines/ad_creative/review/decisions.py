"""The review of the variants: evidence for the approval, validation of decisions, and their outcome. Pure."""

from collections.abc import Sequence

from msgspec import Struct
from msgspec.structs import replace

from signalbox_core.errors import InvalidInput
from signalbox_pipelines.ad_creative.contract import Rejection, VariantDecision, VariantDecisions
from signalbox_pipelines.ad_creative.design.scripts import script_of
from signalbox_pipelines.ad_creative.messages import (
    AdCopy,
    BrandFacts,
    Evidence,
    Matches,
    RenderedAd,
    RewriteRequest,
)


class ReviewOutcome(Struct, frozen=True, kw_only=True):
    """The variants by their next step: publish, render again with the edited text, rewrite, or drop."""

    approved: tuple[RenderedAd, ...]
    edited: tuple[RenderedAd, ...]
    redone: tuple[tuple[RenderedAd, RewriteRequest], ...]
    rejected: tuple[Rejection, ...]


def build_evidence(brand: BrandFacts, matches: Matches, pending: Sequence[RenderedAd]) -> Evidence:
    """Collect the facts, colours and pictures that the ads may use, with their sources."""
    return Evidence(
        page=brand.page,
        brand=brand.name,
        product=brand.product,
        facts=_list_facts(brand),
        palette=brand.palette,
        pictures=matches.ranked,
        skipped=matches.skipped,
        round=max(rendered.copy.round for rendered in pending),
    )


def proposed_texts(pending: Sequence[RenderedAd]) -> dict[str, list[dict[str, str]]]:
    """The texts as proposed, in the form of the answer; a decision with another text is a modification."""
    copies = [rendered.copy for rendered in pending]
    texts = ("variant", "headline", "body", "cta")
    return {"decisions": [{name: getattr(copy, name) for name in texts} for copy in copies]}


def check_decisions(
    answer: VariantDecisions, pending: Sequence[RenderedAd], scripts_without_font: Sequence[str] = ()
) -> None:
    """Check that each pending variant has exactly one complete decision.

    Args:
        scripts_without_font: scripts in which an edit cannot be rendered.

    Raises:
        InvalidInput: `field` is the path in the answer, for example `decisions[1].variant`.
    """
    known = {rendered.ad.variant: rendered for rendered in pending}
    decided: set[str] = set()
    for index, decision in enumerate(answer.decisions):
        path = f"decisions[{index}]"
        if decision.variant not in known:
            detail = f"variant {decision.variant!r} is not pending; choose from {', '.join(known)}"
            raise InvalidInput(detail, field=f"{path}.variant")
        if decision.variant in decided:
            raise InvalidInput(
                f"{decision.variant} is decided twice; submit one decision per variant",
                field=f"{path}.variant",
            )
        decided.add(decision.variant)
        _check_decision(decision, known[decision.variant], path)
        _check_scripts(decision, scripts_without_font, path)
    missing = [variant for variant in known if variant not in decided]
    if missing:
        raise InvalidInput(f"{missing[0]} is not decided; approve, edit or reject it", field="decisions")


def apply_decisions(
    answer: VariantDecisions, pending: Sequence[RenderedAd], *, redo_rounds: int
) -> ReviewOutcome:
    """Apply a checked answer. After `redo_rounds` rewrites a rejection is final."""
    by_variant = {decision.variant: decision for decision in answer.decisions}
    approved, edited, redone, rejected = [], [], [], []
    for rendered in pending:
        decision = by_variant[rendered.ad.variant]
        if decision.action == "approve":
            approved.append(rendered)
        elif decision.action == "edit":
            edited.append(replace(rendered, copy=_apply_edit(rendered.copy, decision)))
        elif rendered.copy.round < redo_rounds:
            redone.append((rendered, _rewrite_request(rendered, decision)))
        else:
            rejected.append(
                Rejection(
                    variant=rendered.ad.variant, reason=decision.reason or "", headline=rendered.ad.headline
                )
            )
    return ReviewOutcome(
        approved=tuple(approved), edited=tuple(edited), redone=tuple(redone), rejected=tuple(rejected)
    )


def _check_decision(decision: VariantDecision, rendered: RenderedAd, path: str) -> None:
    if decision.action == "reject" and not (decision.reason or "").strip():
        raise InvalidInput(
            f"{decision.variant} is rejected without a reason; describe what to improve",
            field=f"{path}.reason",
        )
    if decision.action != "edit":
        return
    texts = {"headline": decision.headline, "body": decision.body, "cta": decision.cta}
    if all(text is None for text in texts.values()):
        raise InvalidInput(
            f"{decision.variant} is edited without new text; provide headline, body or cta",
            field=f"{path}.headline",
        )
    for name in ("headline", "cta"):
        text = texts[name]
        if text is not None and not text.strip():
            raise InvalidInput(
                f"{decision.variant}: {name} is empty; enter a text or omit the field",
                field=f"{path}.{name}",
            )
    if _apply_edit(rendered.copy, decision).version == rendered.copy.version:
        raise InvalidInput(
            f"{decision.variant}: the edit changes nothing; approve it instead", field=f"{path}.action"
        )


def _check_scripts(decision: VariantDecision, without_font: Sequence[str], path: str) -> None:
    texts = {"headline": decision.headline, "body": decision.body, "cta": decision.cta}
    for name, text in texts.items():
        scripts = {script_of(character) for character in text or ""} & set(without_font)
        if decision.action == "edit" and scripts:
            raise InvalidInput(
                f"{decision.variant}: {name} contains {min(scripts)}, for which the worker has no font; "
                "use another text, or have the font installed first",
                field=f"{path}.{name}",
            )


def _apply_edit(copy: AdCopy, decision: VariantDecision) -> AdCopy:
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


def _rewrite_request(rendered: RenderedAd, decision: VariantDecision) -> RewriteRequest:
    copy = rendered.copy
    return RewriteRequest(
        variant=copy.variant,
        version=copy.version,
        angle=copy.angle,
        headline=copy.headline,
        reason=decision.reason or "",
        style=copy.style,
        round=copy.round,
    )


def _list_facts(brand: BrandFacts) -> tuple[str, ...]:
    named = (
        ("slogan", brand.slogan),
        ("description", brand.description),
        ("price", brand.price),
        ("shipping", brand.shipping),
    )
    facts = [f"{name}: {value}" for name, value in named if value]
    facts += [f"benefit: {benefit}" for benefit in brand.benefits]
    if brand.rating:
        facts.append(f"rating: {brand.rating} of {brand.rating_best} ({brand.reviews} reviews)")
    return tuple(facts)
