"""Readers of documents, facts and invoice XML on damaged input: they raise only errors of the taxonomy."""

import io

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from signalbox_core.errors import Rejected
from signalbox_pipelines.ad_creative.page.pictures import UnusablePictureError, open_picture
from signalbox_pipelines.document_batch.document.read.image_pages import ImagePages
from support.papers.hostile import READERS, TEXT_PARTS, Edit, damaged, only_known_errors, read_text

BOUNDED = settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
EDITS = st.lists(
    st.builds(
        Edit,
        st.sampled_from(["delete", "insert", "repeat", "overwrite"]),
        st.floats(0, 1, allow_nan=False),
        st.integers(1, 400),
        st.integers(0, 1_000),
    ),
    min_size=1,
    max_size=6,
)


@pytest.mark.parametrize("name", READERS)
@BOUNDED
@given(seed=st.integers(0, 9), edits=EDITS)
def test_a_reader_of_damaged_bytes_raises_only_known_errors(name: str, seed: int, edits: list[Edit]) -> None:
    read, seeds = READERS[name]

    only_known_errors(read, damaged(seeds[seed % len(seeds)], edits))


@pytest.mark.parametrize("name", READERS)
@BOUNDED
@given(body=st.binary(max_size=400))
def test_a_reader_of_any_bytes_raises_only_known_errors(name: str, body: bytes) -> None:
    only_known_errors(READERS[name][0], body)


def test_a_tiff_without_dimensions_is_a_damaged_picture() -> None:
    buffer = io.BytesIO()
    Image.new("L", (90, 60)).save(buffer, "TIFF")
    width = b"\x00\x01\x04\x00"
    assert width in buffer.getvalue()
    body = buffer.getvalue().replace(width, b"\xf0\xf1\x04\x00")

    with pytest.raises(Rejected) as refused:
        ImagePages(body, "a.tiff").ocr_image(0)
    with pytest.raises(UnusablePictureError):
        open_picture(body)

    assert refused.value.stable_code == "damaged_document"


@BOUNDED
@given(text=st.lists(st.one_of(st.sampled_from(TEXT_PARTS), st.text(max_size=8)), max_size=60).map("".join))
def test_any_text_is_classified_and_searched_for_facts(text: str) -> None:
    read_text(text)
