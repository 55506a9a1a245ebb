"""Assignment of pictures to variants. Pure."""

from collections.abc import Sequence

from signalbox_pipelines.ad_creative.copy.revision_requests import parse_revision_request
from signalbox_pipelines.ad_creative.messages import AdCopy, RankedPicture, StoredPicture

_MIN_RELATIVE_SCORE = 0.8


def assign_pictures(copies: Sequence[AdCopy], pictures: Sequence[RankedPicture]) -> list[StoredPicture]:
    """Return one picture per text: the least used good one, preferably described by words of the text."""
    good = [item for item in pictures if item.points >= pictures[0].points * _MIN_RELATIVE_SCORE]
    used: dict[str, int] = {}
    chosen = []
    for copy in copies:
        best = min(
            good, key=lambda item: (used.get(item.picture.key, 0), -_shared_words(copy, item), -item.points)
        )
        used[best.picture.key] = used.get(best.picture.key, 0) + 1
        chosen.append(best.picture)
    return chosen


def replace_picture(before: StoredPicture, pictures: Sequence[RankedPicture], reason: str) -> StoredPicture:
    """Return another picture if the reason mentions the picture and there is another; else the same."""
    others = [item.picture for item in pictures if item.picture.key != before.key]
    return others[0] if others and parse_revision_request(reason).another_picture else before


def _shared_words(copy: AdCopy, item: RankedPicture) -> int:
    words = set(f"{copy.headline} {copy.body}".lower().split())
    return len(words & set(item.picture.alt.lower().split()))
