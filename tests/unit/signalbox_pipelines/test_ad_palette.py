"""Colours: the palette of a brand, and sufficient contrast in every style."""

import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from signalbox_pipelines.ad_creative.design.colour import (
    contrast,
    hue_distance,
    parse_hex,
    readable_on,
    to_hex,
)
from signalbox_pipelines.ad_creative.design.colour_scheme import colour_scheme_for
from signalbox_pipelines.ad_creative.messages import STYLES, Palette
from signalbox_pipelines.ad_creative.page.palette import choose_palette, logo_colours

CSS = """:root{--primary:#1f4a3a;--accent:#e08a2b} body{background:#fbf3e2;color:#222}
.button{background:#e08a2b;color:#fff}"""
colours = st.tuples(*[st.integers(0, 255)] * 3).map(to_hex)


def test_variable_names_in_the_style_sheet_take_precedence() -> None:
    palette = choose_palette([CSS])

    assert (palette.primary, palette.accent, palette.paper) == ("#1f4a3a", "#e08a2b", "#fbf3e2")
    assert palette.sources == ("style sheet",)


def test_without_style_sheets_the_logo_determines_the_colours() -> None:
    image = Image.new("RGBA", (80, 40), (0, 0, 0, 0))
    image.paste((39, 64, 127, 255), (0, 0, 50, 40))
    buffer = io.BytesIO()
    image.save(buffer, "PNG")

    palette = choose_palette([], logo=buffer.getvalue())

    assert palette.sources == ("logo",)
    assert hue_distance(parse_hex(palette.primary), (39, 64, 127)) < 10


def test_a_page_without_colours_gets_neutral_ones() -> None:
    palette = choose_palette(["body { color: #333 } not css at all }}}"])

    assert palette.sources == ("none found: neutral colours",)
    assert palette.primary != palette.accent


@pytest.mark.parametrize("body", [b"", b"not a picture", b"\x89PNG\r\n\x1a\n"])
def test_a_broken_logo_has_no_colours(body: bytes) -> None:
    assert logo_colours(body) == []


def test_contrast_matches_wcag() -> None:
    assert contrast((255, 255, 255), (0, 0, 0)) == pytest.approx(21)
    assert contrast((119, 119, 119), (255, 255, 255)) == pytest.approx(4.48, abs=0.01)


@given(colours, colours)
def test_readable_colours_have_sufficient_contrast_on_any_background(background: str, wanted: str) -> None:
    assert contrast(readable_on(parse_hex(background), parse_hex(wanted)), parse_hex(background)) >= 4.5


@settings(max_examples=60)
@given(colours, colours, colours)
def test_every_style_of_every_palette_has_sufficient_contrast(primary: str, accent: str, paper: str) -> None:
    for style in STYLES:
        colours = colour_scheme_for(style, Palette(primary=primary, accent=accent, paper=paper))
        assert contrast(colours.headline, colours.background) >= 4.5
        assert contrast(colours.body, colours.background) >= 4.5
        assert contrast(colours.eyebrow, colours.background) >= 4.5
        assert contrast(colours.label, colours.button) >= 4.5
        assert contrast(colours.button, colours.background) >= 1.9
