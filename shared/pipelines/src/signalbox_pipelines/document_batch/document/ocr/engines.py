"""Which engine reads: the one that was asked for, or the best that the worker has."""

import shutil
from typing import assert_never

from signalbox_pipelines.document_batch.document.contract import Engine
from signalbox_pipelines.document_batch.document.ocr.rapid_ocr import RapidOcr, is_installed
from signalbox_pipelines.document_batch.document.ocr.recognition import Recogniser
from signalbox_pipelines.document_batch.document.ocr.tesseract import Tesseract


class Engines:
    """The engines of one worker, each made once: it bounds its processes."""

    def __init__(self) -> None:
        self._tesseract = Tesseract()
        self._rapid = RapidOcr()

    def choose(self, engine: Engine) -> Recogniser:
        """`auto` is Tesseract, or RapidOCR where only that is installed. What is missing is said when a page needs it."""
        match engine:
            case "rapidocr":
                return self._rapid
            case "auto":
                return (
                    self._rapid if shutil.which("tesseract") is None and is_installed() else self._tesseract
                )
            case "tesseract" | "none":
                return self._tesseract
            case _:
                assert_never(engine)
