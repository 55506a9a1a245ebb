"""Choosing the OCR engine: the requested one, or the best that is installed on the worker."""

import shutil
from typing import assert_never

from signalbox_pipelines.document_batch.document.contract import Engine
from signalbox_pipelines.document_batch.document.ocr.engine import OcrEngine
from signalbox_pipelines.document_batch.document.ocr.rapid_ocr import RapidOcr, is_installed
from signalbox_pipelines.document_batch.document.ocr.tesseract import Tesseract


class OcrEngines:
    """The engines of one worker. Each is created once, because it limits its own processes."""

    def __init__(self) -> None:
        self._tesseract = Tesseract()
        self._rapid = RapidOcr()

    def select(self, engine: Engine) -> OcrEngine:
        """Return the engine to use.

        `auto` is Tesseract, or RapidOCR where only that is installed. A missing engine is reported when
        a page needs it, since documents with a text layer need none.
        """
        match engine:
            case "rapidocr":
                return self._rapid
            case "auto":
                has_rapid_only = shutil.which("tesseract") is None and is_installed()
                return self._rapid if has_rapid_only else self._tesseract
            case "tesseract" | "none":
                return self._tesseract
            case _:
                assert_never(engine)
