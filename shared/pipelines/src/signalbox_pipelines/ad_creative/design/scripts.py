"""Scripts of characters, the direction of text, and what a script requires of the worker. Pure."""

import re
import unicodedata
from typing import Final

KNOWN_SCRIPTS: Final = (
    ("Arabic", "ب"),
    ("Hebrew", "א"),
    ("Thai", "ก"),
    ("Devanagari", "क"),
    ("Japanese", "あ"),
    ("Chinese", "中"),
    ("Korean", "한"),
    ("Emoji", "🔥"),
)
"""The scripts that are checked for each run, with a sample character."""
_NAMES: Final = {
    "CJK": "Chinese",
    "IDEOGRAPHIC": "Chinese",
    "FULLWIDTH": "Chinese",
    "HIRAGANA": "Japanese",
    "KATAKANA": "Japanese",
    "HALFWIDTH": "Japanese",
    "HANGUL": "Korean",
}
"""Scripts whose names in Unicode differ from their names for people, by the first word of a character."""
_SCRIPTS_WITH_SIGNS: Final = re.compile(
    "Arabic|Armenian|Bengali|Devanagari|Ethiopic|Georgian|Gujarati|Gurmukhi|Hebrew|Kannada|Khmer|Lao"
    "|Malayalam|Myanmar|Sinhala|Tamil|Telugu|Thai|Tibetan"
)
"""Scripts with digits and punctuation of their own."""
_SIMPLE_SCRIPTS: Final = frozenset(
    {"Latin", "Greek", "Cyrillic", "Chinese", "Japanese", "Korean", "Emoji", ""}
)
_EMOJI: Final = re.compile(
    "[\U0001f000-\U0001fbff\u231a\u231b\u23e9-\u23f3\u23f8-\u23fa\u2600-\u2604\u260e\u2611\u2614\u2615"
    "\u2618\u261d\u2620\u2622\u2623\u2626\u262a\u262e\u262f\u2638-\u263a\u2640\u2642\u2648-\u2653\u265f"
    "\u2660\u2663\u2665\u2666\u2668\u267b\u267e\u267f\u2692-\u2697\u2699\u269b\u269c\u26a0\u26a1\u26a7"
    "\u26aa\u26ab\u26b0\u26b1\u26bd\u26be\u26c4\u26c5\u26c8\u26ce\u26cf\u26d1\u26d3\u26d4\u26e9\u26ea"
    "\u26f0-\u26f5\u26f7-\u26fa\u26fd\u2702\u2705\u2708-\u270d\u270f\u2712\u2714\u2716\u271d\u2721"
    "\u2728\u2733\u2734\u2744\u2747\u274c\u274e\u2753-\u2755\u2757\u2763\u2764\u2795-\u2797\u27a1\u27b0"
    "\u27bf\u2b05-\u2b07\u2b1b\u2b1c\u2b50\u2b55\u3030\u303d\u3297\u3299]"
)
"""Characters with the Unicode property Emoji, but for letters, digits and signs of ordinary text."""
EMOJI_SEQUENCE: Final = re.compile(
    "[\U0001f1e6-\U0001f1ff]{2}|[0-9#*]\ufe0f?\u20e3|"
    f"(?:{_EMOJI.pattern}|[©®‼⁉™ℹ↔-↪⌨⏏▪▫▶◀◻-◾⤴⤵]\ufe0f)[\ufe0f\U0001f3fb-\U0001f3ff\U000e0020-\U000e007f]*"
    f"(?:\u200d{_EMOJI.pattern}[\ufe0f\U0001f3fb-\U0001f3ff]*)*"
)
_IGNORABLE: Final = re.compile("[\u200b-\u200f\u2060\ufe00-\ufe0f\u00ad\ufeff\u20e3\U000e0020-\U000e007f]")
_CONTROLS: Final = re.compile("[\u202a-\u202e\u2066-\u2069]")
_KANA: Final = re.compile("[\u3040-\u30ff\uff66-\uff9d]")
_HAN: Final = re.compile("[\u3400-\u9fff\uf900-\ufaff]")
_HANGUL: Final = re.compile("[\u1100-\u11ff\u3130-\u318f\uac00-\ud7af]")


def script_of(character: str) -> str:
    """Return the script of a character as a name for people; empty for signs common to all scripts."""
    if is_emoji_base(character):
        return "Emoji"
    word = re.split("[ -]", unicodedata.name(character, ""), maxsplit=1)[0]
    if word in _NAMES:
        return _NAMES[word]
    if "\u3000" <= character <= "\u303f":
        return "Chinese"
    is_letter = unicodedata.category(character)[0] in "LM" and not is_ignorable(character)
    return word.title() if is_letter or _SCRIPTS_WITH_SIGNS.fullmatch(word.title()) else ""


def package_for(script: str) -> str:
    """Return the Debian package with a font for a script."""
    if script == "Emoji":
        return "fonts-noto-color-emoji"
    return "fonts-noto-cjk" if script in ("Japanese", "Chinese", "Korean") else "fonts-noto-core"


def needs_shaping(text: str) -> bool:
    """Whether letters change their form or order with their neighbours, which needs a shaping library."""
    return any(script_of(character) not in _SIMPLE_SCRIPTS for character in text)


def is_mostly_rtl(text: str) -> bool:
    """Whether more letters of a text run from right to left than from left to right."""
    kinds = [unicodedata.bidirectional(character) for character in text]
    return kinds.count("R") + kinds.count("AL") > kinds.count("L")


def is_emoji_base(character: str) -> bool:
    return _EMOJI.fullmatch(character) is not None


def is_ignorable(character: str) -> bool:
    """Whether a character only affects its neighbours and has no glyph of its own."""
    return _IGNORABLE.fullmatch(character) is not None


def is_private(character: str) -> bool:
    """Whether a character has no meaning outside one font or program: private use, control, unassigned."""
    if character.isspace():
        return False
    return (
        unicodedata.category(character) in ("Co", "Cc", "Cn", "Cs") or _CONTROLS.match(character) is not None
    )


def cjk_language(text: str, declared: str) -> str:
    """Return the language whose forms of shared characters a text takes: `declared`, else by its letters."""
    if declared in ("ja", "ko", "zh", "zh-Hant"):
        return declared
    if _KANA.search(text):
        return "ja"
    if _HANGUL.search(text):
        return "ko"
    return "zh" if _HAN.search(text) else declared
