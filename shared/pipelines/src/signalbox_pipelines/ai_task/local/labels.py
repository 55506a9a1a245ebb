"""Classification by cues: occurrences are counted, longer cues weigh more. Pure."""

import re
from collections.abc import Sequence
from itertools import islice
from typing import Final

from msgspec import Struct

from signalbox_core.errors import Rejected
from signalbox_pipelines.ai_task.contract import Label
from signalbox_pipelines.ai_task.local.words import remove_stop_words, split_words

_MAX_COUNT_PER_CUE: Final = 3


class LabelMatch(Struct, frozen=True, kw_only=True):
    """The chosen label. `confidence` is its share of all points, 0 to 1, and not a probability."""

    label: str
    reason: str
    confidence: float
    evidence: tuple[str, ...]


class _LabelScore(Struct, frozen=True):
    name: str
    points: float
    evidence: tuple[str, ...]


def choose_label(text: str, labels: Sequence[Label]) -> LabelMatch:
    """Choose the label with the most points; on a tie the first one.

    Raises:
        Rejected: `no_evidence`: no cue occurs in the text.
    """
    normalised_text = " ".join(text.casefold().split())
    scores = [_score(normalised_text, label) for label in labels]
    best = max(scores, key=lambda score: score.points)
    if best.points == 0:
        detail = "no cue of any label occurs in the text; add cues to the labels, or use a language model"
        raise Rejected(detail, code="no_evidence", field="labels")
    share = best.points / sum(score.points for score in scores)
    found = ", ".join(best.evidence)
    return LabelMatch(
        label=best.name, reason=f"found: {found}", confidence=round(share, 3), evidence=best.evidence
    )


def _score(normalised_text: str, label: Label) -> _LabelScore:
    points, evidence = 0.0, []
    for cue in label.cues or remove_stop_words(split_words(label.name)) or (label.name,):
        phrase = " ".join(cue.casefold().split())
        occurrences = re.finditer(rf"(?<!\w){re.escape(phrase)}(?!\w)", normalised_text)
        frequency = sum(1 for _ in islice(occurrences, _MAX_COUNT_PER_CUE))
        if frequency:
            points += frequency * len(phrase.split())
            evidence.append(cue)
    return _LabelScore(label.name, points, tuple(evidence))
