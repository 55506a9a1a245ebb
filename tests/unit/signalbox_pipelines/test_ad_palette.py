"""Colours: what a brand's palette is, and that everything drawn in it can be read."""

import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from signalbox_pipelines.ad_creative.design.colour import contrast, hex_of, hue_distance, readable_on, rgb
from signalbox_pipelines.ad_creative.design.styles import look_for
from signalbox_pipelines.ad_creative.messages import STYLES, Palette
from signalbox_pipelines.ad_creative.page.palette import choose_palette, logo_colours

CSS = ":root{--primary:#1f4a3a;--accent:#e08a2b} body{background:#fbf3e2;color:#222} .button{background:#e08a2b;color:#fff}"
colours = st.tuples(*[st.integers(0, 255)] * 3).map(hex_of)


def test_names_in_the_style_sheet_decide() -> None:
    palette = choose_palette([CSS])

    assert (palette.primary, palette.accent, palette.paper) == ("#1f4a3a", "#e08a2b", "#fbf3e2")
    assert palette.sources == ("style sheet",)


def test_the_logo_gives_colours_to_a_page_without_a_style_sheet() -> None:
    image = Image.new("RGBA", (80, 40), (0, 0, 0, 0))
    image.paste((39, 64, 127, 255), (0, 0, 50, 40))
    buffer = io.BytesIO()
    image.save(buffer, "PNG")

    palette = choose_palette([], logo=buffer.getvalue())

    assert palette.sources == ("logo",)
    assert hue_distance(rgb(palette.primary), (39, 64, 127)) < 10


def test_a_page_without_colours_gets_calm_ones_and_says_so() -> None:
    palette = choose_palette(["body { color: #333 } not css at all }}}"])

    assert palette.sources == ("none found: neutral colours",)
    assert palette.primary != palette.accent


@pytest.mark.parametrize("body", [b"", b"not a picture", b"\x89PNG\r\n\x1a\n"])
def test_a_broken_logo_has_no_colours(body: bytes) -> None:
    assert logo_colours(body) == []


def test_contrast_is_that_of_the_standard() -> None:
    assert contrast((255, 255, 255), (0, 0, 0)) == pytest.approx(21)
    assert contrast((119, 119, 119), (255, 255, 255)) == pytest.approx(4.48, abs=0.01)


@given(colours, colours)
def test_readable_is_readable_on_any_ground(ground: str, wanted: str) -> None:
    assert contrast(readable_on(rgb(ground), rgb(wanted)), rgb(ground)) >= 4.5


@settings(max_examples=60)
@given(colours, colours, colours)
def test_every_style_of_every_palette_can_be_read(primary: str, accent: str, paper: str) -> None:
    for style in STYLES:
        look = look_for(style, Palette(primary=primary, accent=accent, paper=paper))
        assert contrast(look.headline, look.ground) >= 4.5
        assert contrast(look.body, look.ground) >= 4.5
        assert contrast(look.eyebrow, look.ground) >= 4.5
        assert contrast(look.label, look.button) >= 4.5
        assert contrast(look.button, look.ground) >= 1.9
