"""`python -m …rapid_program`: a picture on standard input, what RapidOCR read on standard output, a JSON list of Line."""

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


class Line(Struct, frozen=True, kw_only=True):
    """A piece of a line; `score` 0 to 1."""

    text: str
    score: float
    box: Box


def main() -> None:
    from rapidocr import RapidOCR  # takes seconds and is an extra

    found = RapidOCR(params=dict(_SETTINGS))(sys.stdin.buffer.read())
    height, width = found.img.shape[:2]
    pieces = zip(found.boxes, found.txts, found.scores, strict=True) if found.txts else ()
    lines = [
        Line(text=text, score=float(score), box=_around(corners, width, height))
        for corners, text, score in pieces
    ]
    sys.stdout.buffer.write(msgspec.json.encode(lines))


def _around(corners: "list[tuple[float, float]]", width: int, height: int) -> Box:
    across, down = [float(x) / width for x, _ in corners], [float(y) / height for _, y in corners]
    return box_of(min(across), min(down), max(across), max(down))


if __name__ == "__main__":
    main()
