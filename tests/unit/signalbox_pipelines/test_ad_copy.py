"""Template copy: facts of the page only, the requested number of variants, and revision requests."""

import pytest
from msgspec.structs import replace

from signalbox_pipelines.ad_creative.copy.copywriter import (
    MAX_BODY_CHARS,
    MAX_HEADLINE_CHARS,
    OFFLINE_AUTHOR,
    CopyIdea,
    TemplateCopywriter,
    first_copy,
    ideas_from_facts,
)
from signalbox_pipelines.ad_creative.copy.revision_requests import parse_revision_request
from signalbox_pipelines.ad_creative.design.composition import build_ad_texts
from signalbox_pipelines.ad_creative.design.fonts import FontSelection
from signalbox_pipelines.ad_creative.messages import BrandFacts, CopyRequest, Palette, RewriteRequest

PALETTE = Palette(primary="#1f4a3a", accent="#e08a2b", paper="#fbf3e2")
BARE = BrandFacts(
    page="https://shop.example/x", name="Nobody", product="A lamp", language="en", palette=PALETTE
)
FULL = BrandFacts(
    page="https://shop.example/ca-phe",
    name="Sương Mai",
    product="Cà phê Sương Mai",
    language="vi",
    palette=PALETTE,
    slogan="Buổi sáng thong thả",
    description="Arabica nguyên bản Cầu Đất, rang mẻ nhỏ mỗi thứ Ba. Hương caramel.",
    price="189.000 ₫",
    rating="4,8",
    reviews=312,
    benefits=("Rang mới mỗi thứ Ba", "Trồng ở độ cao 1.500 m"),
    shipping="Miễn phí giao hàng",
    cta="Mua ngay",
)


async def test_the_requested_number_of_variants_alternates_styles() -> None:
    copies = await TemplateCopywriter().write(CopyRequest(brand=FULL, count=10))

    assert [copy.variant for copy in copies] == [f"variant-{number}" for number in range(1, 11)]
    assert [copy.style for copy in copies[:4]] == ["studio", "bold", "cover", "studio"]
    assert len({copy.headline for copy in copies[:6]}) == 6
    assert {copy.written_by for copy in copies} == {OFFLINE_AUTHOR}


def test_a_rating_is_stated_on_its_own_scale_and_by_as_many_people_as_gave_it() -> None:
    brand = replace(FULL, language="en", rating="8.4", rating_best="10", reviews=1)
    headlines = {idea.angle: idea.headline for idea in ideas_from_facts(brand)}
    copy = first_copy(0, CopyIdea(angle="name", headline="Coffee", body=""), brand, OFFLINE_AUTHOR)

    assert headlines["rating"] == "Rated 8.4/10 by 1 buyer"
    assert build_ad_texts(brand, copy, FontSelection()).rating == "8.4/10 (1)"


async def test_a_page_without_other_facts_gives_the_product_name() -> None:
    (copy,) = await TemplateCopywriter().write(CopyRequest(brand=BARE, count=1))

    assert (copy.headline, copy.body, copy.cta) == ("A lamp", "", "See details")


@pytest.mark.parametrize("brand", [FULL, BARE], ids=["full", "bare"])
def test_texts_contain_only_facts_of_the_page(brand: BrandFacts) -> None:
    facts = " ".join(
        [
            brand.product,
            brand.name,
            brand.slogan,
            brand.description,
            brand.price,
            brand.rating,
            str(brand.reviews),
            *brand.benefits,
        ]
    )
    glue = {"khách", "hàng", "chấm", "5", "·"}
    known = (
        set(
            f"{facts} {brand.shipping}".replace("/", " ")
            .replace(",", " ")
            .replace(".", " ")
            .replace(":", " ")
            .split()
        )
        | glue
    )
    for text in ideas_from_facts(brand):
        words = (
            f"{text.headline} {text.body}".replace("/", " ")
            .replace(",", " ")
            .replace(".", " ")
            .replace(":", " ")
            .split()
        )
        assert set(words) <= known
        assert len(text.headline) <= MAX_HEADLINE_CHARS
        assert len(text.body) <= MAX_BODY_CHARS


def redo(reason: str) -> RewriteRequest:
    return RewriteRequest(
        variant="variant-2",
        version=1,
        angle="benefit 1",
        headline="Rang mới mỗi thứ Ba",
        reason=reason,
        style="bold",
    )


@pytest.mark.parametrize(
    ("reason", "angle"),
    [
        pytest.param("nói về giá", "price", id="price, in Vietnamese"),
        pytest.param("mention the reviews", "rating", id="reviews"),
        pytest.param("talk about delivery", "shipping", id="delivery"),
        pytest.param("hmm", "slogan", id="no known keyword: the next idea"),
    ],
)
async def test_the_reason_determines_the_next_text(reason: str, angle: str) -> None:
    (copy,) = await TemplateCopywriter().write(
        CopyRequest(brand=FULL, redo=(redo(reason),), taken=("benefit 1",))
    )

    assert (copy.variant, copy.version, copy.round) == ("variant-2", 2, 1)
    assert copy.angle == angle
    assert copy.style != "bold"


async def test_a_request_for_shorter_text_gives_the_shortest() -> None:
    (copy,) = await TemplateCopywriter().write(
        CopyRequest(brand=FULL, redo=(redo("quá dài"),), taken=("benefit 1",))
    )

    lengths = [
        len(text.headline) + len(text.body) for text in ideas_from_facts(FULL) if text.angle != "benefit 1"
    ]
    assert len(copy.headline) + len(copy.body) == min(lengths)


def test_a_negated_keyword_is_avoided() -> None:
    revision = parse_revision_request("không nói về giá, đổi ảnh khác")

    assert "price" in revision.avoided_tags
    assert "price" not in revision.preferred_tags
    assert revision.another_picture
