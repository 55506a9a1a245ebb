"""Ads in ten scripts: every glyph exists, text stays in its frame, lines break and run as readers expect."""

import io
from importlib.resources import as_file, files
from itertools import product
from pathlib import Path

import pytest
from fontTools.ttLib import TTFont
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from PIL import Image, ImageChops

from signalbox_core.errors import InvalidInput, Rejected
from signalbox_pipelines.ad_creative.contract import SIZE_NAMES, VariantDecision, VariantDecisions
from signalbox_pipelines.ad_creative.copy.copywriter import OFFLINE_AUTHOR, first_copy, ideas_from_facts
from signalbox_pipelines.ad_creative.design.ad_plan import AdPlan, Box, TextLine
from signalbox_pipelines.ad_creative.design.colour import contrast
from signalbox_pipelines.ad_creative.design.composition import drawable_copy, plan_sizes, render_ads
from signalbox_pipelines.ad_creative.design.fonts import FontFile, FontSelection, has_glyph
from signalbox_pipelines.ad_creative.design.line_breaks import split_characters, split_phrases
from signalbox_pipelines.ad_creative.design.scripts import is_ignorable, is_mostly_rtl, script_of
from signalbox_pipelines.ad_creative.design.text_painter import TextStyle, draw_text
from signalbox_pipelines.ad_creative.design.text_runs import split_runs
from signalbox_pipelines.ad_creative.design.typography import TypeSetting, fit
from signalbox_pipelines.ad_creative.messages import ComposeRequest, StoredPicture
from signalbox_pipelines.ad_creative.review.decisions import check_decisions
from support.fakes.ad_pages import FONTS, PAGES, picture_of_a_cup
from unit.signalbox_pipelines.test_ad_decisions import rendered

PICTURE = StoredPicture(key="k", url="https://acme.example/a.jpg", alt="", width=1200, height=1000)
BUNDLED_ONLY = FontSelection()
NO_LINE_START = "、。，．！？)）」』ー々っゃゅょッャュョ"
NO_LINE_END = "（「『(¥฿$"


def requests_for(name: str) -> list[ComposeRequest]:
    """The first three ads of a page, one in each style."""
    brand = PAGES[name].brand()
    ideas = ideas_from_facts(brand)
    return [
        ComposeRequest(
            brand=brand,
            copy=first_copy(number, ideas[number], brand, OFFLINE_AUTHOR),
            picture=PICTURE,
            sizes=SIZE_NAMES,
        )
        for number in range(3)
    ]


def plans_for(name: str) -> list[AdPlan]:
    picture = picture_of_a_cup()
    found = []
    for request in requests_for(name):
        plans, skipped = plan_sizes(request, picture, FONTS)
        assert skipped == ()
        found += plans
    return found


def characters_of(font: FontFile) -> set[int]:
    """The characters in the font's own table, read by another library."""
    bundled = files("signalbox_pipelines.ad_creative") / "fonts" / font.path
    with as_file(bundled if "/" not in font.path else Path(font.path)) as path:
        number = font.index if path.suffix == ".ttc" else -1
        with TTFont(path, fontNumber=number, lazy=True) as opened:
            return set(opened.getBestCmap())


@pytest.mark.parametrize("name", PAGES)
def test_no_text_is_drawn_with_a_missing_glyph(name: str) -> None:
    PAGES[name].require_fonts()
    drawn: dict[FontFile, set[str]] = {}
    for plan in plans_for(name):
        texts = [(line, block.block.weight) for block in plan.lines for line in block.block.lines]
        for text, weight in [*texts, (plan.button.label, "Bold"), (plan.logo.name, "ExtraBold")]:
            for run in split_runs(text, weight, plan.fonts):
                drawn.setdefault(run.font, set()).update(run.text)

    for font, characters in drawn.items():
        covered = characters_of(font)
        for character in characters:
            if character.isspace() or is_ignorable(character):
                continue
            assert ord(character) in covered, f"{character!r} in {font.path}"
            assert has_glyph(font, character), f"{character!r} in {font.path}"


@pytest.mark.parametrize("name", PAGES)
def test_text_stays_in_the_ad_and_off_other_parts_with_enough_contrast(name: str) -> None:
    PAGES[name].require_fonts()
    for plan in plans_for(name):
        colours = plan.colours
        assert min(contrast(ink, colours.background) for ink in (colours.headline, colours.body)) >= 4.5
        assert contrast(colours.eyebrow, colours.background) >= 4.5
        assert contrast(colours.label, colours.button) >= 4.5
        for line in plan.lines:
            box = ink_of(plan, line.block.lines, line)
            assert box.x >= 4, (plan.size, line)
            assert box.right <= plan.width - 4, (plan.size, line)
            assert box.y >= 2, (plan.size, line)
            assert box.bottom <= plan.height - 2, (plan.size, line)
            assert not overlaps(box, plan.button.box)
            if not plan.frame.fades:
                assert not overlaps(box, plan.frame.box), (plan.size, line)


def ink_of(plan: AdPlan, lines: tuple[str, ...], line: TextLine) -> Box:
    """The pixels that a text block really changes."""
    blank = Image.new("RGB", (plan.width + 200, plan.height + 200), "white")
    canvas = blank.copy()
    block = line.block
    for index, text in enumerate(lines):
        style = TextStyle(
            ink=(0, 0, 0), weight=block.weight, pixels=block.font_px, fonts=block.fonts, align=line.align
        )
        draw_text(canvas, text, (line.x + 100, line.y + 100 + block.rise + index * block.line_px), style)
    left, top, right, bottom = ImageChops.difference(blank, canvas).getbbox()
    return Box(left - 100, top - 100, right - left, bottom - top)


def overlaps(one: Box, other: Box) -> bool:
    """Whether two boxes share more than the pixel that antialiasing may add."""
    return (
        one.x + 1 < other.right
        and other.x + 1 < one.right
        and one.y + 1 < other.bottom
        and other.y + 1 < one.bottom
    )


@pytest.mark.parametrize("name", ["arabic", "hebrew"])
def test_an_ad_in_a_right_to_left_script_is_mirrored(name: str) -> None:
    PAGES[name].require_fonts()
    wide = next(plan for plan in plans_for(name) if plan.size == "1200x628" and plan.style == "studio")

    assert wide.frame.box.x == 0
    assert {line.align for line in wide.lines} == {"right"}
    assert wide.button.box.right > wide.width / 2


def test_rendering_is_deterministic_and_emoji_are_in_colour() -> None:
    PAGES["emoji"].require_fonts()
    request = requests_for("emoji")[0]
    plans, _ = plan_sizes(request, picture_of_a_cup(), FONTS)
    first, again = (render_ads(plans, picture_of_a_cup(), None) for _ in range(2))

    assert first == again
    style = TextStyle(ink=(0, 0, 0), weight="Bold", pixels=80, fonts=FONTS)
    canvas = Image.new("RGB", (120, 140), "white")
    draw_text(canvas, "🔥", (5, 100), style)
    red, green, blue = (canvas.getchannel(band).getextrema()[0] for band in "RGB")
    assert red > 60, "the flame has no black"
    assert blue < green < 255


@pytest.mark.parametrize(
    ("text", "is_rtl", "shown"),
    [
        pytest.param("سعر 120 درهم", True, ["درهم", "120", "سعر"], id="numbers in Arabic"),
        pytest.param("Acme غلاية", True, ["غلاية", "Acme"], id="a Latin name in Arabic"),
        pytest.param("Tea שלום tea", False, ["Tea", "שלום", "tea"], id="Hebrew in English"),
    ],
)
def test_runs_are_shown_in_the_order_of_the_bidirectional_algorithm(
    text: str, is_rtl: bool, shown: list[str]
) -> None:
    runs = split_runs(text, "Bold", FontSelection(is_rtl=is_rtl))

    assert [run.text.strip() for run in runs if run.text.strip()] == shown


def test_joiners_marks_and_modifiers_stay_with_their_letters() -> None:
    PAGES["emoji"].require_fonts()
    assert [run.text for run in split_runs("क्षेत्र", "Bold", FONTS)] == ["क्षेत्र"]
    assert [run.text for run in split_runs("👨‍👩‍👧 ok 👍🏽", "Bold", FONTS)] == ["👨‍👩‍👧", " ok ", "👍🏽"]


@pytest.mark.parametrize(("name", "width"), list(product(("japanese", "chinese", "thai"), (120, 200, 320))))
def test_scripts_without_spaces_break_between_phrases(name: str, width: int) -> None:
    PAGES[name].require_fonts()
    page, language = PAGES[name], PAGES[name].lang.partition("-")[0]
    setting = TypeSetting(weight="Bold", largest=22, smallest=12, lines=9, leading=1.2)
    for text in (page.slogan, page.description, *page.benefits, page.shipping):
        block = fit(text, setting, width, replace(FONTS, language=language))
        assert block is not None, text
        assert "".join(block.lines).replace("\u00a0", " ").replace(" ", "") == text.replace(" ", "")
        assert all(line[0] not in NO_LINE_START for line in block.lines[1:]), block.lines
        assert all(line[-1] not in NO_LINE_END for line in block.lines[:-1]), block.lines


def test_a_line_breaks_between_phrases_rather_than_within_words() -> None:
    assert split_phrases("濃いコーヒーが楽しめます。", "ja") == ("濃い", "コーヒーが", "楽しめます。")
    assert split_phrases("จัดส่งฟรีเมื่อซื้อครบ 500 บาท", "th")[-2:] == ("500 ", "บาท")
    assert split_phrases("5,000円以上", "ja")[0].startswith("5,000円")
    assert split_phrases("뜨거워지지 않는 손잡이", "ko") == ("뜨거워지지 ", "않는 ", "손잡이")
    assert "「クー" in split_characters("設計「クールハンドル」", "ja")


@given(st.text(alphabet="aé 1,.（）「」、。ー直火式コーヒーฉันกำฯ한국👍🏽\u200d\u0301", max_size=60))
def test_breaking_loses_no_character(text: str) -> None:
    for language in ("ja", "zh", "zh-Hant", "th", "ko", "en"):
        assert "".join(split_phrases(text, language)) == text
        assert "".join(split_characters(text, language)) == text


@pytest.mark.parametrize(
    ("name", "script", "package"),
    [
        pytest.param("japanese", "Japanese", "fonts-noto-cjk", id="Japanese"),
        pytest.param("korean", "Korean", "fonts-noto-cjk", id="Korean"),
    ],
)
def test_a_script_without_a_font_is_refused_by_name_before_drawing(
    name: str, script: str, package: str
) -> None:
    (request, *_) = requests_for(name)
    with pytest.raises(Rejected) as refused:
        plan_sizes(request, picture_of_a_cup(), BUNDLED_ONLY)

    assert refused.value.stable_code == "script_not_covered"
    assert package in refused.value.detail
    assert "no font for " in refused.value.detail
    assert PAGES[name].brand(BUNDLED_ONLY).scripts_without_font == ("Japanese", "Chinese", "Korean", "Emoji")


def test_emoji_without_a_font_are_left_out_and_words_stay() -> None:
    brand = PAGES["emoji"].brand(BUNDLED_ONLY)
    copy = first_copy(0, ideas_from_facts(brand)[0], brand, OFFLINE_AUTHOR)
    written = drawable_copy(replace(copy, headline="Hot 🔥 and ✓ new"), BUNDLED_ONLY)

    assert brand.product == "Stovetop Espresso Maker"
    assert brand.shipping == "Free shipping over €30"
    assert written.headline == "Hot and new"


def test_an_edit_in_a_script_without_a_font_is_refused_at_the_decision() -> None:
    pending = [rendered("variant-1")]
    edit = VariantDecision(variant="variant-1", action="edit", headline="朝の一杯")
    with pytest.raises(InvalidInput, match="no font") as refused:
        check_decisions(VariantDecisions(decisions=(edit,)), pending, ("Chinese", "Japanese"))

    assert refused.value.field == "decisions[0].headline"
    check_decisions(VariantDecisions(decisions=(edit,)), pending)


@pytest.mark.parametrize(
    ("character", "script"),
    [("ب", "Arabic"), ("、", "Chinese"), ("ー", "Japanese"), ("한", "Korean"), ("฿", "Thai"),
     ("।", "Devanagari"), ("🔥", "Emoji"), ("✓", ""), ("ấ", "Latin"), ("،", "Arabic"), ("1", ""),
     ("\u200d", "")],
)  # fmt: skip
def test_the_script_of_a_character_has_a_name_for_people(character: str, script: str) -> None:
    assert script_of(character) == script


def test_direction_follows_the_majority_of_letters() -> None:
    assert is_mostly_rtl("غلاية القهوة Acme")
    assert not is_mostly_rtl("Acme coffee ש")
    assert not is_mostly_rtl("123")


def test_a_rendered_ad_is_a_picture_of_its_size() -> None:
    PAGES["arabic"].require_fonts()
    request = requests_for("arabic")[1]
    plans, _ = plan_sizes(request, picture_of_a_cup(), FONTS)
    for plan, body in zip(plans, render_ads(plans, picture_of_a_cup(), None), strict=True):
        assert Image.open(io.BytesIO(body)).size == (plan.width, plan.height)
