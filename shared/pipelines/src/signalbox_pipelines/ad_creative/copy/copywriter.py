"""Ad copy from offline templates, which use facts of the page only, and code that all copywriters share."""

from collections.abc import Sequence
from typing import Final, Protocol

from msgspec import Struct

from signalbox_pipelines.ad_creative.copy.language import first_sentence
from signalbox_pipelines.ad_creative.copy.phrases import PHRASES
from signalbox_pipelines.ad_creative.copy.revision_requests import RevisionRequest, parse_revision_request
from signalbox_pipelines.ad_creative.messages import (
    STYLES,
    AdCopy,
    BrandFacts,
    CopyRequest,
    RewriteRequest,
    Style,
)

OFFLINE_AUTHOR: Final = "offline templates"
MAX_HEADLINE_CHARS: Final = 70
MAX_BODY_CHARS: Final = 140


class Copywriter(Protocol):
    """Writes `count` first texts, or one new text per item of `redo`, in the same order."""

    async def write(self, request: CopyRequest) -> tuple[AdCopy, ...]: ...


class CopyIdea(Struct, frozen=True, kw_only=True):
    """An idea for a text. `tags` name the facts it uses, to match requests such as "mention the price"."""

    angle: str
    headline: str
    body: str
    tags: frozenset[str] = frozenset()


class TemplateCopywriter:
    """Fills templates with facts of the page; needs no external service."""

    async def write(self, request: CopyRequest) -> tuple[AdCopy, ...]:
        ideas = ideas_from_facts(request.brand)
        if not request.redo:
            # With more variants than ideas, ideas repeat in another style and with another picture.
            return tuple(
                first_copy(number, ideas[number % len(ideas)], request.brand, OFFLINE_AUTHOR)
                for number in range(request.count)
            )
        taken = set(request.taken)
        copies = []
        for redo in request.redo:
            idea = choose_idea(ideas, parse_revision_request(redo.reason), taken, redo)
            taken.add(idea.angle)
            copies.append(next_copy(redo, idea, request.brand, OFFLINE_AUTHOR))
        return tuple(copies)


def first_copy(number: int, idea: CopyIdea, brand: BrandFacts, written_by: str) -> AdCopy:
    """Build the first version of variant `number` (from 0); styles alternate."""
    return AdCopy(
        variant=f"variant-{number + 1}",
        version=1,
        angle=idea.angle,
        headline=idea.headline,
        body=idea.body[:MAX_BODY_CHARS],
        cta=call_to_action_for(brand),
        written_by=written_by,
        style=STYLES[number % len(STYLES)],
    )


def next_copy(redo: RewriteRequest, idea: CopyIdea, brand: BrandFacts, written_by: str) -> AdCopy:
    """Build the next version of a rejected variant, in another style."""
    style: Style = STYLES[(STYLES.index(redo.style) + 1) % len(STYLES)]
    return AdCopy(
        variant=redo.variant,
        version=redo.version + 1,
        angle=idea.angle,
        headline=idea.headline,
        body=idea.body[:MAX_BODY_CHARS],
        cta=call_to_action_for(brand),
        written_by=written_by,
        style=style,
        round=redo.round + 1,
    )


def choose_idea(
    ideas: Sequence[CopyIdea], revision: RevisionRequest, taken: set[str], redo: RewriteRequest
) -> CopyIdea:
    """Choose the unused idea that matches `revision` best; if all are in use, any but the rejected one."""
    candidates = (
        [idea for idea in ideas if idea.angle not in taken]
        or [idea for idea in ideas if idea.angle != redo.angle]
        or list(ideas)
    )

    def rank(idea: CopyIdea) -> tuple[int, int]:
        match = len(idea.tags & revision.preferred_tags) - 2 * len(idea.tags & revision.avoided_tags)
        length = len(idea.headline) + len(idea.body)
        return -match, length if revision.shorter else candidates.index(idea)

    return min(candidates, key=rank)


def ideas_from_facts(brand: BrandFacts) -> list[CopyIdea]:
    """Return every idea that the facts of the page allow, the strongest first; at least one."""
    found = [idea for idea in _all_ideas(brand) if 0 < len(idea.headline) <= MAX_HEADLINE_CHARS]
    first_by_headline = {idea.headline: idea for idea in reversed(found)}
    ideas = [idea for idea in found if first_by_headline[idea.headline] is idea]
    return ideas or [CopyIdea(angle="name", headline=brand.product[:MAX_HEADLINE_CHARS], body="")]


def call_to_action_for(brand: BrandFacts) -> str:
    """Return the call to action of the page, else the default one."""
    return brand.cta or PHRASES[brand.language].details


def _all_ideas(brand: BrandFacts) -> list[CopyIdea]:
    about = first_sentence(brand.description, longest=MAX_BODY_CHARS)
    other_benefits = _join(brand.benefits[1:3]) or about
    benefits = [
        _idea(f"benefit {index + 1}", "benefit", benefit, _other_benefits(brand, benefit) or about)
        for index, benefit in enumerate(brand.benefits)
    ]
    return [
        _idea("slogan", "slogan", brand.slogan, about or other_benefits),
        *benefits[:1],
        _idea("rating", "rating", _rating(brand), _sentence(brand.product, brand.slogan) or about),
        _idea("price", "price", _price(brand), _join((*brand.benefits[:1], brand.shipping)) or about),
        _idea("shipping", "shipping", brand.shipping, _sentence(brand.product, _join(brand.benefits[:1]))),
        *benefits[1:],
        _idea(
            "description",
            "description",
            first_sentence(brand.description, longest=MAX_HEADLINE_CHARS),
            other_benefits,
        ),
        _idea("name", "name", brand.product, brand.slogan or about),
        _idea("brand", "name", f"{brand.name}: {brand.product}", about or other_benefits),
    ]


def _idea(angle: str, tag: str, headline: str, body: str) -> CopyIdea:
    return CopyIdea(angle=angle, headline=headline, body=body, tags=frozenset({tag}))


def _rating(brand: BrandFacts) -> str:
    if not (brand.rating and brand.reviews):
        return ""
    score = f"{brand.rating}/{brand.rating_best}"
    if brand.language == "en" and brand.reviews == 1:
        return f"Rated {score} by 1 buyer"
    return PHRASES[brand.language].rating.format(score=score, count=brand.reviews)


def _price(brand: BrandFacts) -> str:
    if not brand.price:
        return ""
    separator = ", " if PHRASES[brand.language].is_latin else " · "
    return f"{brand.product}{separator}{brand.price}"


def _other_benefits(brand: BrandFacts, benefit: str) -> str:
    return _join([other for other in brand.benefits if other != benefit][:2])


def _join(texts: Sequence[str]) -> str:
    joined = " · ".join(text.rstrip(".") for text in texts if text)
    return joined if len(joined) <= MAX_BODY_CHARS else next((text for text in texts if text), "")


def _sentence(first: str, second: str) -> str:
    text = ": ".join(part for part in (first, second) if part)
    return text if len(text) <= MAX_BODY_CHARS else first
