"""Writing the variants' texts: one interface, two writers. Offline, templates are filled with facts of the page and nothing else."""

from collections.abc import Callable, Sequence
from typing import Final, Protocol

from msgspec import Struct

from signalbox_pipelines.ad_creative.copy.language import DEFAULT_CALL, first_sentence
from signalbox_pipelines.ad_creative.copy.revision_requests import Wishes, read_wishes
from signalbox_pipelines.ad_creative.messages import STYLES, Brand, Copy, CopyRequest, Redo, Style

OFFLINE: Final = "offline templates"
LONGEST_HEADLINE: Final = 70
LONGEST_BODY: Final = 140


class Copywriter(Protocol):
    """Writes `count` first texts, or one new text for each `redo`, in that order."""

    async def write(self, request: CopyRequest) -> tuple[Copy, ...]: ...


class Text(Struct, frozen=True, kw_only=True):
    """An idea and its words. `tags` say what it leans on, for wishes such as "mention the price"."""

    angle: str
    headline: str
    body: str
    tags: frozenset[str] = frozenset()


class TemplateCopywriter:
    """Works without any service; every claim is a fact found on the page."""

    async def write(self, request: CopyRequest) -> tuple[Copy, ...]:
        texts = texts_for(request.brand)
        if not request.redo:
            return tuple(
                first_copy(number, _nth(texts, number), request.brand, OFFLINE)
                for number in range(request.count)
            )
        taken = set(request.taken)
        copies = []
        for redo in request.redo:
            text = choose(texts, read_wishes(redo.reason), taken, redo)
            taken.add(text.angle)
            copies.append(next_copy(redo, text, request.brand, OFFLINE))
        return tuple(copies)


def first_copy(number: int, text: Text, brand: Brand, written_by: str) -> Copy:
    """Variant `number` (from 0) in its first version; styles take turns."""
    style = STYLES[number % len(STYLES)]
    return _copy(f"variant-{number + 1}", 1, text, brand=brand, written_by=written_by, style=style)


def next_copy(redo: Redo, text: Text, brand: Brand, written_by: str) -> Copy:
    """The variant's next version, in another style, as the last one was not liked."""
    style: Style = STYLES[(STYLES.index(redo.style) + 1) % len(STYLES)]
    return _copy(
        redo.variant,
        redo.version + 1,
        text,
        brand=brand,
        written_by=written_by,
        style=style,
        round_=redo.round + 1,
    )


def choose(texts: Sequence[Text], wishes: Wishes, taken: set[str], redo: Redo) -> Text:
    """The text that fits the wishes best among those not in use; if all are, the best other than the rejected one."""
    free = (
        [text for text in texts if text.angle not in taken]
        or [text for text in texts if text.angle != redo.angle]
        or list(texts)
    )

    def fitness(text: Text) -> tuple[int, int]:
        liked = len(text.tags & wishes.more) - 2 * len(text.tags & wishes.less)
        return (-liked, len(text.headline) + len(text.body)) if wishes.shorter else (-liked, free.index(text))

    return min(free, key=fitness)


def texts_for(brand: Brand) -> list[Text]:
    """Every text that the page's facts allow, the strongest first; never empty."""
    write = _VIETNAMESE if brand.language == "vi" else _ENGLISH
    found = [text for text in write(brand) if 0 < len(text.headline) <= LONGEST_HEADLINE]
    unique = {text.headline: text for text in reversed(found)}
    texts = [text for text in found if unique[text.headline] is text]
    return texts or [Text(angle="name", headline=brand.product[:LONGEST_HEADLINE], body="")]


def call_to_action(brand: Brand) -> str:
    """The page's own call, else a plain one."""
    return brand.cta or DEFAULT_CALL[brand.language]


def _english(brand: Brand) -> list[Text]:
    rated = f"Rated {brand.rating}/5 by {brand.reviews} buyers" if brand.rating and brand.reviews else ""
    priced = f"{brand.product}, {brand.price}" if brand.price else ""
    return _common(brand, rated=rated, priced=priced)


def _vietnamese(brand: Brand) -> list[Text]:
    rated = f"{brand.reviews} khách hàng chấm {brand.rating}/5" if brand.rating and brand.reviews else ""
    priced = f"{brand.product} chỉ {brand.price}" if brand.price else ""
    return _common(brand, rated=rated, priced=priced.replace(" chỉ ", ", "))


def _common(brand: Brand, *, rated: str, priced: str) -> list[Text]:
    about = first_sentence(brand.description, longest=LONGEST_BODY)
    pairs = _joined(brand.benefits[1:3]) or about
    benefits = [
        Text(
            angle=f"benefit {index + 1}",
            headline=benefit,
            body=_others(brand, benefit) or about,
            tags=_tags("benefit"),
        )
        for index, benefit in enumerate(brand.benefits)
    ]
    return [
        Text(angle="slogan", headline=brand.slogan, body=about or pairs, tags=_tags("slogan")),
        *benefits[:1],
        Text(
            angle="rating",
            headline=rated,
            body=_sentence(brand.product, brand.slogan) or about,
            tags=_tags("rating"),
        ),
        Text(
            angle="price",
            headline=priced,
            body=_joined((*brand.benefits[:1], brand.shipping)) or about,
            tags=_tags("price"),
        ),
        Text(
            angle="shipping",
            headline=brand.shipping,
            body=_sentence(brand.product, _joined(brand.benefits[:1])),
            tags=_tags("shipping"),
        ),
        *benefits[1:],
        Text(
            angle="description",
            headline=first_sentence(brand.description, longest=LONGEST_HEADLINE),
            body=pairs,
            tags=_tags("description"),
        ),
        Text(angle="name", headline=brand.product, body=brand.slogan or about, tags=_tags("name")),
        Text(
            angle="brand", headline=f"{brand.name}: {brand.product}", body=about or pairs, tags=_tags("name")
        ),
    ]


_ENGLISH: Final[Callable[[Brand], list[Text]]] = _english
_VIETNAMESE: Final[Callable[[Brand], list[Text]]] = _vietnamese


def _copy(  # noqa: PLR0913
    variant: str, version: int, text: Text, *, brand: Brand, written_by: str, style: Style, round_: int = 0
) -> Copy:
    return Copy(
        variant=variant,
        version=version,
        angle=text.angle,
        headline=text.headline,
        body=text.body[:LONGEST_BODY],
        cta=call_to_action(brand),
        written_by=written_by,
        style=style,
        round=round_,
    )


def _tags(*names: str) -> frozenset[str]:
    return frozenset(names)


def _nth(texts: Sequence[Text], number: int) -> Text:
    """More variants than ideas: the ideas come again, in another style and with another picture."""
    return texts[number % len(texts)]


def _others(brand: Brand, benefit: str) -> str:
    return _joined([other for other in brand.benefits if other != benefit][:2])


def _joined(texts: Sequence[str]) -> str:
    joined = " · ".join(text.rstrip(".") for text in texts if text)
    return joined if len(joined) <= LONGEST_BODY else next((text for text in texts if text), "")


def _sentence(first: str, second: str) -> str:
    text = ": ".join(part for part in (first, second) if part)
    return text if len(text) <= LONGEST_BODY else first
