"""Texts: facts of the page only, as many as asked, and rejections heard."""

import pytest

from signalbox_pipelines.ad_creative.copy.copywriter import (
    LONGEST_BODY,
    LONGEST_HEADLINE,
    OFFLINE,
    TemplateCopywriter,
    texts_for,
)
from signalbox_pipelines.ad_creative.copy.revision_requests import read_wishes
from signalbox_pipelines.ad_creative.messages import Brand, CopyRequest, Palette, Redo

PALETTE = Palette(primary="#1f4a3a", accent="#e08a2b", paper="#fbf3e2")
BARE = Brand(page="https://shop.example/x", name="Nobody", product="A lamp", language="en", palette=PALETTE)
FULL = Brand(
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


async def test_as_many_variants_as_asked_with_styles_taking_turns() -> None:
    copies = await TemplateCopywriter().write(CopyRequest(brand=FULL, count=10))

    assert [copy.variant for copy in copies] == [f"variant-{number}" for number in range(1, 11)]
    assert [copy.style for copy in copies[:4]] == ["studio", "bold", "cover", "studio"]
    assert len({copy.headline for copy in copies[:6]}) == 6
    assert {copy.written_by for copy in copies} == {OFFLINE}


async def test_a_page_that_says_nothing_else_still_has_its_product() -> None:
    (copy,) = await TemplateCopywriter().write(CopyRequest(brand=BARE, count=1))

    assert (copy.headline, copy.body, copy.cta) == ("A lamp", "", "See details")


@pytest.mark.parametrize("brand", [FULL, BARE], ids=["full", "bare"])
def test_every_claim_is_a_fact_of_the_page(brand: Brand) -> None:
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
    for text in texts_for(brand):
        words = (
            f"{text.headline} {text.body}".replace("/", " ")
            .replace(",", " ")
            .replace(".", " ")
            .replace(":", " ")
            .split()
        )
        assert set(words) <= known
        assert len(text.headline) <= LONGEST_HEADLINE
        assert len(text.body) <= LONGEST_BODY


def redo(reason: str) -> Redo:
    return Redo(
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
        pytest.param("hmm", "slogan", id="nothing we understand: the next idea"),
    ],
)
async def test_a_reason_steers_the_next_text(reason: str, angle: str) -> None:
    (copy,) = await TemplateCopywriter().write(
        CopyRequest(brand=FULL, redo=(redo(reason),), taken=("benefit 1",))
    )

    assert (copy.variant, copy.version, copy.round) == ("variant-2", 2, 1)
    assert copy.angle == angle
    assert copy.style != "bold"


async def test_shorter_means_shorter() -> None:
    (copy,) = await TemplateCopywriter().write(
        CopyRequest(brand=FULL, redo=(redo("quá dài"),), taken=("benefit 1",))
    )

    lengths = [len(text.headline) + len(text.body) for text in texts_for(FULL) if text.angle != "benefit 1"]
    assert len(copy.headline) + len(copy.body) == min(lengths)


def test_a_wish_can_be_negative() -> None:
    wishes = read_wishes("không nói về giá, đổi ảnh khác")

    assert "price" in wishes.less
    assert "price" not in wishes.more
    assert wishes.other_picture
