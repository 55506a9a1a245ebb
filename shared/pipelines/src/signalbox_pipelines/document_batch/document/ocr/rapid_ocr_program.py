"""`python -m …rapid_ocr_program`: an image on standard input, a JSON list of OcrLine on standard output."""

import sys
from collections.abc import Mapping
from typing import Final

import msgspec
from msgspec import Struct

from signalbox_pipelines.document_batch.document.messages import Box, box_of

_SETTINGS: Final[Mapping[str, object]] = {
    "Global.log_level": "error",
    "EngineConfig.onnxruntime.intra_op_num_threads": 1,
    "EngineConfig.onnxruntime.inter_op_num_threads": 1,
}


class OcrLine(Struct, frozen=True, kw_only=True):
    """A piece of a line of text; `score` is the confidence, 0 to 1."""

    text: str
    score: float
    box: Box


def main() -> None:
    from rapidocr import RapidOCR  # slow to import, and optional

    found = RapidOCR(params=dict(_SETTINGS))(sys.stdin.buffer.read())
    height, width = found.img.shape[:2]
    pieces = zip(found.boxes, found.txts, found.scores, strict=True) if found.txts else ()
    lines = [
        OcrLine(text=text, score=float(score), box=_bounding_box(corners, width, height))
        for corners, text, score in pieces
    ]
    sys.stdout.buffer.write(msgspec.json.encode(lines))


def _bounding_box(corners: "list[tuple[float, float]]", width: int, height: int) -> Box:
    across, down = [float(x) / width for x, _ in corners], [float(y) / height for _, y in corners]
    return box_of(min(across), min(down), max(across), max(down))


if __name__ == "__main__":
    main()
