"""Layout and typesetting: no overlaps, readable sizes, room for accents, whole subjects."""

import itertools

import pytest
from PIL import Image, ImageDraw

from signalbox_pipelines.ad_creative.contract import SIZE_NAMES, SizeName
from signalbox_pipelines.ad_creative.design.ad_plan import AdPlan, Box
from signalbox_pipelines.ad_creative.design.colour_scheme import colour_scheme_for
from signalbox_pipelines.ad_creative.design.crop import ClearZone, crop, find_subject, measure_aspect
from signalbox_pipelines.ad_creative.design.fonts import FontSelection
from signalbox_pipelines.ad_creative.design.layout import plan_ad
from signalbox_pipelines.ad_creative.design.text_column import AdTexts
from signalbox_pipelines.ad_creative.design.typography import TypeSetting, fit, ink_extent
from signalbox_pipelines.ad_creative.messages import STYLES, Palette, Style

PALETTE = Palette(primary="#1f4a3a", accent="#e08a2b", paper="#fbf3e2")
TEXTS = {
    "english": AdTexts(
        eyebrow="Morning Mist Coffee", headline="Slow-roasted mornings from the hills of Đà Lạt",
        body="Single-origin arabica, roasted weekly.",
        price="$14.50", rating="4.8 (312)", cta="Shop the roast", brand="Sương Mai",
    ),
    "vietnamese": AdTexts(
        eyebrow="Cốc gốm vẽ tay Lá Trúc", headline="ẤM ÁP, ĐỖ ĐỒ DÙNG: nét vẽ không lặp lại",
        body="Men không chì · Dung tích 280 ml",
        price="1.245.000 ₫", rating="4,9 (128)", cta="Chọn cốc của bạn", brand="Gốm Lam",
    ),
    "shortest": AdTexts(eyebrow="", headline="Tea", body="", price="", rating="", cta="Buy", brand="T"),
    "longest": AdTexts(
        eyebrow="A product with quite a long name indeed",
        headline="Nothing is as long as the longest headline that the contract would let pass today",
        body="A body of text which is nearly as long as it may be, "
        "and which therefore is the first thing to be left out in small sizes.",
        price="$1,234,567.00", rating="4.8 (1234567)", cta="Reserve a seat today",
        brand="The Longest Brand Name There Is",
    ),
}  # fmt: skip
EVERY = list(itertools.product(SIZE_NAMES, STYLES, TEXTS, (0.6, 1.8)))


def boxes(plan: AdPlan) -> dict[str, Box]:
    found = {"logo": plan.logo.box, "button": plan.button.box}
    for number, line in enumerate(plan.lines):
        left = line.x - line.block.width // 2 if line.align == "center" else line.x
        found[f"{line.role} {number}"] = Box(left, line.y, line.block.width, line.block.height)
    return found


def overlap(one: Box, other: Box) -> bool:
    return one.x < other.right and other.x < one.right and one.y < other.bottom and other.y < one.bottom


@pytest.mark.parametrize(("size", "style", "text", "aspect"), EVERY)
def test_elements_do_not_overlap_and_are_readable(
    size: SizeName, style: Style, text: str, aspect: float
) -> None:
    plan = plan_ad(size, style, colour_scheme_for(style, PALETTE), TEXTS[text], aspect=aspect)

    assert plan is not None
    parts = boxes(plan)
    for name, box in parts.items():
        assert box.x >= 4, name
        assert box.y >= 4, name
        assert box.right <= plan.width - 4, name
        assert box.bottom <= plan.height - 4, name
    for (first, one), (second, other) in itertools.combinations(parts.items(), 2):
        assert not overlap(one, other), f"{first} and {second}"
    if not plan.frame.fades:
        for name, box in parts.items():
            assert not overlap(box, plan.frame.box), f"{name} over the picture"
    assert min([line.block.font_px for line in plan.lines] + [plan.button.font_px]) >= 10


@pytest.mark.parametrize(("size", "style", "text", "aspect"), EVERY)
def test_the_picture_is_large_and_gaps_are_small(
    size: SizeName, style: Style, text: str, aspect: float
) -> None:
    plan = plan_ad(size, style, colour_scheme_for(style, PALETTE), TEXTS[text], aspect=aspect)

    assert plan is not None
    assert plan.frame.box.width * plan.frame.box.height >= 0.14 * plan.width * plan.height
    if size == "160x600":
        parts = sorted([plan.frame.box, *boxes(plan).values()], key=lambda box: box.y)
        gaps = [below.y - above.bottom for above, below in itertools.pairwise(parts)]
        assert max(gaps) <= 40


@pytest.mark.parametrize("style", STYLES)
def test_a_banner_is_centred_vertically(style: Style) -> None:
    plan = plan_ad("728x90", style, colour_scheme_for(style, PALETTE), TEXTS["vietnamese"])

    assert plan is not None
    texts = [box for name, box in boxes(plan).items() if name not in ("logo", "button")]
    middle = (min(box.y for box in texts) + max(box.bottom for box in texts)) / 2
    assert middle == pytest.approx(45, abs=1)
    assert plan.button.box.middle == plan.logo.box.middle == 45


def test_text_that_does_not_fit_gives_no_plan() -> None:
    words = AdTexts(
        eyebrow="",
        headline="Donaudampfschifffahrtsgesellschaftskapitän" * 2,
        body="",
        price="",
        rating="",
        cta="Buy",
        brand="B",
    )

    assert plan_ad("160x600", "studio", colour_scheme_for("studio", PALETTE), words) is None


SETTING = TypeSetting(weight="ExtraBold", largest=40, smallest=12, lines=4, leading=1.1)


def test_stacked_accents_do_not_touch_the_line_above() -> None:
    block = fit("gyg ẤỄỘỮ gyg ẤỄỘỮ", SETTING, 130, FontSelection())

    assert block is not None
    assert len(block.lines) > 1
    below, above = (
        ink_extent("gyg", "ExtraBold", block.font_px, FontSelection())[1],
        ink_extent("ẤỄỘỮ", "ExtraBold", block.font_px, FontSelection())[0],
    )
    assert block.line_px >= below + above


def test_lines_are_balanced() -> None:
    block = fit("Slow roasted mornings from the hills of home", SETTING, 520, FontSelection())

    assert block is not None
    assert len(block.lines) == 2
    assert len(block.lines[-1].split()) > 2


def test_a_number_and_its_unit_stay_on_one_line() -> None:
    block = fit(
        "Compostable bag, 340 g",
        TypeSetting(weight="Medium", largest=20, smallest=20, lines=3, leading=1.2),
        190,
        FontSelection(),
    )

    assert block is not None
    assert any(line.replace("\u00a0", " ").endswith("340 g") for line in block.lines)


def picture_of_object(width: int, height: int, box: tuple[int, int, int, int]) -> Image.Image:
    """A chequered object on a plain background."""
    image = Image.new("RGB", (width, height), (230, 225, 215))
    draw = ImageDraw.Draw(image)
    for x in range(box[0], box[2], 20):
        for y in range(box[1], box[3], 20):
            draw.rectangle((x, y, x + 9, y + 9), fill=(40, 30, 20))
    return image


def test_the_subject_is_found_by_its_edges() -> None:
    image = picture_of_object(1000, 800, (600, 200, 900, 600))
    subject = find_subject(image)

    assert measure_aspect(image) == pytest.approx(0.75, abs=0.1)

    assert subject.left == pytest.approx(0.6, abs=0.04)
    assert subject.right == pytest.approx(0.9, abs=0.04)
    assert subject.top == pytest.approx(0.25, abs=0.04)
    assert subject.bottom == pytest.approx(0.75, abs=0.04)


@pytest.mark.parametrize(("width", "height"), [(142, 90), (160, 300), (600, 628), (100, 400)])
def test_every_crop_contains_the_whole_subject(width: int, height: int) -> None:
    image = picture_of_object(1000, 800, (100, 300, 700, 500))

    cropped = crop(image, find_subject(image), width, height)

    assert cropped.size == (width, height)
    kept = find_subject(cropped)
    assert kept.left > 0.01
    assert kept.right < 0.99


def test_the_subject_stays_out_of_the_fading_area() -> None:
    image = picture_of_object(1000, 800, (400, 300, 600, 500))

    cropped = crop(image, find_subject(image), 400, 300, clear_zone=ClearZone(left=0.3))

    assert find_subject(cropped).left > 0.3


def test_a_plain_picture_can_be_cropped() -> None:
    assert crop(
        Image.new("RGB", (500, 500), "white"), find_subject(Image.new("RGB", (500, 500), "white")), 30, 90
    ).size == (30, 90)
