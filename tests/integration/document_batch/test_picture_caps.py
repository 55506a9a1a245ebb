"""A picture at the documented cap of its format is read and drawn within a worker's default memory limit."""

import io
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import fields
from PIL import Image

from signalbox_core.process.cpu_pool import CpuPool
from signalbox_worker.settings import Settings
from support.papers.capped_pictures import read_and_draw

PRELOAD = ("signalbox_pipelines.document_batch.activities", read_and_draw.__module__)
(LIMIT_MB,) = (field.default for field in fields(Settings) if field.name == "cpu_memory_mb")


def picture(mode: str, kind: str, megapixels: int, **options: Any) -> bytes:
    width = 5_000
    buffer = io.BytesIO()
    Image.new(mode, (width, megapixels * 1_000_000 // width)).save(buffer, kind, **options)
    return buffer.getvalue()


@pytest.fixture
async def cpu() -> AsyncIterator[CpuPool]:
    async with CpuPool(processes=1, memory_bytes=LIMIT_MB * 1_000_000, preload=PRELOAD) as pool:
        yield pool


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("media_type", "mode", "megapixels", "options"),
    [
        pytest.param("image/png", "RGB", 40, {}, id="png"),
        pytest.param("image/png", "RGBA", 40, {}, id="png with transparency"),
        pytest.param("image/jpeg", "RGB", 40, {}, id="jpeg"),
        pytest.param("image/jpeg", "RGB", 27, {"progressive": True, "subsampling": 0}, id="progressive jpeg"),
        pytest.param("image/jpeg", "CMYK", 15, {"progressive": True}, id="progressive cmyk jpeg"),
        pytest.param("image/tiff", "RGB", 21, {"compression": "tiff_lzw", "strip_size": 1 << 30}, id="tiff"),
        pytest.param("image/webp", "RGB", 11, {"method": 0}, id="webp"),
    ],
)
async def test_a_picture_at_its_cap_is_read_within_the_memory_of_a_process(
    cpu: CpuPool, media_type: str, mode: str, megapixels: int, options: dict[str, Any]
) -> None:
    body = picture(mode, media_type.partition("/")[2].upper(), megapixels, **options)
    size_bytes, width = await cpu.run(
        read_and_draw, body, media_type, tenant="t", within=timedelta(seconds=250), subject="document"
    )
    assert size_bytes > 0
    assert 0 < width <= 1_000
