"""A score by rules of thumb, every point explained. Nobody measured clicks: the label says so. Pure."""

from collections.abc import Sequence

from signalbox_pipelines.ad_creative.contract import Feature, Score
from signalbox_pipelines.ad_creative.copy.language import is_call
from signalbox_pipelines.ad_creative.design.colour import contrast
from signalbox_pipelines.ad_creative.design.plan import Plan
from signalbox_pipelines.ad_creative.messages import Copy, PageLanguage


def score_of(plans: Sequence[Plan], copy: Copy, language: PageLanguage) -> Score:
    """Judge a variant over all its sizes; the weakest size counts where reading is at stake."""
    features = (
        _contrast(plans),
        _button_contrast(plans),
        _smallest_type(plans),
        _text_area(plans),
        _button_area(plans),
        _headline(copy),
        _readability(copy, language),
        _call(copy),
    )
    return Score(points=round(sum(feature.points for feature in features), 1), features=features)


def _contrast(plans: Sequence[Plan]) -> Feature:
    worst = min(
        min(contrast(plan.look.headline, plan.look.ground), contrast(plan.look.body, plan.look.ground))
        for plan in plans
    )
    return _feature(
        "text contrast", 20, _share(worst, 3.0, 7.0), f"lowest {worst:.1f}:1; WCAG asks 4.5:1, 7:1 is best"
    )


def _button_contrast(plans: Sequence[Plan]) -> Feature:
    label = min(contrast(plan.look.label, plan.look.button) for plan in plans)
    ground = min(contrast(plan.look.button, plan.look.ground) for plan in plans)
    share = 0.6 * _share(label, 2.5, 4.5) + 0.4 * _share(ground, 1.3, 3.0)
    return _feature(
        "button contrast",
        15,
        share,
        f"label {label:.1f}:1 on the button, button {ground:.1f}:1 on the ground",
    )


def _smallest_type(plans: Sequence[Plan]) -> Feature:
    smallest, plan = min(
        (min([line.block.font_px for line in plan.lines] + [plan.button.font_px]), plan.size)
        for plan in plans
    )
    return _feature("smallest type", 10, _share(smallest, 9, 12), f"{smallest} px, in {plan}")


def _text_area(plans: Sequence[Plan]) -> Feature:
    shares = [
        sum(line.block.width * line.block.height for line in plan.lines) / (plan.width * plan.height)
        for plan in plans
    ]
    mean = sum(shares) / len(shares)
    return _feature(
        "text area",
        10,
        1 - _share(mean, 0.25, 0.5),
        f"text covers {mean:.0%} on average; below a quarter is calm",
    )


def _button_area(plans: Sequence[Plan]) -> Feature:
    shares = [plan.button.box.width * plan.button.box.height / (plan.width * plan.height) for plan in plans]
    least = min(shares)
    return _feature("button size", 10, _share(least, 0.005, 0.02), f"at least {least:.1%} of the ad")


def _headline(copy: Copy) -> Feature:
    length = len(copy.headline)
    share = (
        1.0 if 15 <= length <= 45 else _share(length, 4, 15) if length < 15 else 1 - _share(length, 45, 80)
    )
    return _feature("headline length", 15, share, f"{length} characters; 15 to 45 are read at a glance")


def _readability(copy: Copy, language: PageLanguage) -> Feature:
    """English: the Automated Readability Index. Vietnamese is written in syllables, so there words per sentence count."""
    text = f"{copy.headline}. {copy.body}"
    words = [word for word in text.split() if any(sign.isalnum() for sign in word)]
    sentences = max(1, sum(text.count(sign) for sign in ".!?·:"))
    if language == "vi":
        pace = len(words) / sentences
        return _feature("readability", 10, 1 - _share(pace, 14, 30), f"{pace:.0f} syllables a sentence")
    letters = sum(sign.isalnum() for sign in text)
    index = 4.71 * letters / max(1, len(words)) + 0.5 * len(words) / sentences - 21.43
    return _feature(
        "readability",
        10,
        1 - _share(index, 8, 16),
        f"Automated Readability Index {index:.0f}; 8 is a young teenager's level",
    )


def _call(copy: Copy) -> Feature:
    return _feature(
        "call to action",
        10,
        1.0 if is_call(copy.cta) else 0.3,
        f"{copy.cta!r} {'asks' if is_call(copy.cta) else 'does not ask'} to act",
    )


def _feature(name: str, best: float, share: float, why: str) -> Feature:
    return Feature(name=name, points=round(best * min(1.0, max(0.0, share)), 1), max_points=best, why=why)


def _share(value: float, low: float, high: float) -> float:
    return min(1.0, max(0.0, (value - low) / (high - low)))
