"""Where lines may break, also in Japanese, Chinese and Thai, which are written without spaces. Pure.

Phrases are found by BudouX, a small statistical model: its breaks are likely, not certain. Which signs may
begin or end a line follows JIS X 4051 (kinsoku).
"""

import json
import re
from functools import cache, lru_cache
from importlib.resources import files
from typing import Final

from budoux import Parser

_NO_START: Final = frozenset(
    "、。，．・：；？！!?,.:;)]}%‰°′″℃…‥ー―～〜々〻ゝゞヽヾぁぃぅぇぉっゃゅょゎゕゖァィゥェォッャュョヮヵヶ"
    "）］｝〉》」』】〕〗〙〟’”»›％￠ๆฯ\u200d\ufe0f"
)
_NO_END: Final = frozenset("（［｛〈《「『【〔〖〘〝‘“«‹([{¥￥＄$€£₩฿#＃")
_CJK: Final = "\u3000-\u30ff\u3400-\u9fff\uf900-\ufaff\uff01-\uffef\U00020000-\U0003134f"
_UNSPACED: Final = re.compile(f"(?P<thai>[\u0e00-\u0e7f]+)|(?P<cjk>[{_CJK}]+)")
_IDEOGRAPH: Final = re.compile(f"[{_CJK}] *|[^{_CJK}]+")
_MODELS: Final = {"ja": "ja", "zh": "zh-hans", "zh-Hant": "zh-hant", "th": "th"}
_KANA: Final = re.compile("[\u3040-\u30ff]")


@lru_cache(maxsize=256)
def split_phrases(text: str, language: str) -> tuple[str, ...]:
    """Split at the best places for line breaks; pieces keep their trailing spaces."""
    words = re.findall(r"[^ ]+ *| +", text)
    return tuple(phrase for word in words for phrase in _merge_kinsoku(_split_word(word, language)))


@lru_cache(maxsize=256)
def split_characters(text: str, language: str) -> tuple[str, ...]:
    """Split between any two Japanese or Chinese characters too, for phrases longer than a line."""
    phrases = split_phrases(text, language)
    return tuple(_merge_kinsoku([piece for phrase in phrases for piece in _IDEOGRAPH.findall(phrase)]))


def _split_word(word: str, language: str) -> list[str]:
    pieces: list[str] = []
    position = 0
    for found in _UNSPACED.finditer(word):
        pieces += [word[position : found.start()]]
        pieces += _parser(_model_for(found, language)).parse(found.group())
        position = found.end()
    return [piece for piece in [*pieces, word[position:]] if piece]


def _model_for(found: re.Match[str], language: str) -> str:
    if found["thai"]:
        return "th"
    if language in ("zh", "zh-Hant") and not _KANA.search(found["cjk"]):
        return _MODELS[language]
    return "ja" if language == "ja" or _KANA.search(found["cjk"]) else "zh-hans"


def _merge_kinsoku(pieces: list[str]) -> list[str]:
    """Join pieces so that none begins with a closing sign, or ends with an opening one or with a number."""
    merged: list[str] = []
    for piece in pieces:
        if merged and not _may_break(merged[-1][-1], piece[0]):
            merged[-1] += piece
        else:
            merged.append(piece)
    return merged


def _may_break(before: str, after: str) -> bool:
    """Whether a line may end after one character and the next begin with the other."""
    if before == " ":
        return True
    if before.isdecimal():
        return after in _NO_END
    return after not in _NO_START and before not in _NO_END


@cache
def _parser(name: str) -> Parser:
    return Parser(json.loads((files("budoux") / "models" / f"{name}.json").read_text("utf-8")))
