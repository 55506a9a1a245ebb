"""Which picture a variant is drawn with. Pure."""

from collections.abc import Sequence

from signalbox_pipelines.ad_creative.copy.revision_requests import read_wishes
from signalbox_pipelines.ad_creative.messages import Copy, RankedPicture, StoredPicture

_GOOD_ENOUGH = 0.8


def assign(copies: Sequence[Copy], pictures: Sequence[RankedPicture]) -> list[StoredPicture]:
    """One picture per text, in their order: the good ones take turns, a picture whose description shares words first."""
    good = [item for item in pictures if item.points >= pictures[0].points * _GOOD_ENOUGH]
    used: dict[str, int] = {}
    chosen = []
    for copy in copies:
        best = min(good, key=lambda item: (used.get(item.picture.key, 0), -_shared(copy, item), -item.points))
        used[best.picture.key] = used.get(best.picture.key, 0) + 1
        chosen.append(best.picture)
    return chosen


def reassign(before: StoredPicture, pictures: Sequence[RankedPicture], reason: str) -> StoredPicture:
    """Another picture when the reason speaks of the picture and there is one; else the same."""
    others = [item.picture for item in pictures if item.picture.key != before.key]
    return others[0] if others and read_wishes(reason).other_picture else before


def _shared(copy: Copy, item: RankedPicture) -> int:
    spoken = set(f"{copy.headline} {copy.body}".lower().split())
    return len(spoken & set(item.picture.alt.lower().split()))
