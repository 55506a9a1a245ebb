"""Which label fits: cues counted, longer ones weighing more, with the evidence. Pure."""

import re
from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from signalbox_core.errors import Rejected
from signalbox_pipelines.ai_task.contract import Label
from signalbox_pipelines.ai_task.local.words import telling, words_of

_MOST_OF_ONE: Final = 3


class Labelled(Struct, frozen=True, kw_only=True):
    """`confidence` is the label's share of all points, 0 to 1: of rules, not a probability."""

    label: str
    reason: str
    confidence: float
    evidence: tuple[str, ...]


class _Score(Struct, frozen=True):
    name: str
    points: float
    evidence: tuple[str, ...]


def label_for(text: str, labels: Sequence[Label]) -> Labelled:
    """The label whose cues the text has most of; of equals the one named first.

    Raises:
        Rejected: no cue occurs, so any choice would be made up.
    """
    folded = " ".join(text.casefold().split())
    scores = [_score(folded, label) for label in labels]
    best = max(scores, key=lambda score: score.points)
    if best.points == 0:
        detail = (
            "none of the labels' cues occurs in the text; add cues to the labels, or use a language model"
        )
        raise Rejected(detail, code="no_evidence", field="labels")
    share = best.points / sum(score.points for score in scores)
    found = ", ".join(best.evidence)
    return Labelled(
        label=best.name, reason=f"found: {found}", confidence=round(share, 3), evidence=best.evidence
    )


def _score(folded: str, label: Label) -> _Score:
    points, evidence = 0.0, []
    for cue in label.cues or telling(words_of(label.name)) or (label.name,):
        wanted = " ".join(cue.casefold().split())
        times = len(re.findall(rf"(?<!\w){re.escape(wanted)}(?!\w)", folded))
        if times:
            points += min(times, _MOST_OF_ONE) * len(wanted.split())
            evidence.append(cue)
    return _Score(label.name, points, tuple(evidence))
