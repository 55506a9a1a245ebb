"""Heuristic score of a variant, with an explanation for each part.

It does not predict click-through rates. Pure.
"""

from collections.abc import Sequence

from signalbox_pipelines.ad_creative.contract import AdScore, ScoreFeature
from signalbox_pipelines.ad_creative.copy.language import is_call_to_action
from signalbox_pipelines.ad_creative.copy.phrases import PHRASES
from signalbox_pipelines.ad_creative.design.ad_plan import AdPlan
from signalbox_pipelines.ad_creative.design.colour import contrast
from signalbox_pipelines.ad_creative.messages import AdCopy, PageLanguage


def score_ad(plans: Sequence[AdPlan], copy: AdCopy, language: PageLanguage) -> AdScore:
    """Score a variant over all its sizes; for legibility the weakest size counts."""
    features = (
        _contrast(plans),
        _button_contrast(plans),
        _smallest_type(plans),
        _text_area(plans),
        _button_area(plans),
        _headline(copy, language),
        _readability(copy, language),
        _call_to_action(copy, language),
    )
    return AdScore(points=round(sum(feature.points for feature in features), 1), features=features)


def _contrast(plans: Sequence[AdPlan]) -> ScoreFeature:
    worst = min(
        min(
            contrast(plan.colours.headline, plan.colours.background),
            contrast(plan.colours.body, plan.colours.background),
        )
        for plan in plans
    )
    return _feature(
        "text contrast", 20, _share(worst, 3.0, 7.0), f"lowest {worst:.1f}:1; WCAG AA requires 4.5:1, AAA 7:1"
    )


def _button_contrast(plans: Sequence[AdPlan]) -> ScoreFeature:
    label = min(contrast(plan.colours.label, plan.colours.button) for plan in plans)
    background = min(contrast(plan.colours.button, plan.colours.background) for plan in plans)
    share = 0.6 * _share(label, 2.5, 4.5) + 0.4 * _share(background, 1.3, 3.0)
    return _feature(
        "button contrast",
        15,
        share,
        f"label {label:.1f}:1 on the button, button {background:.1f}:1 on the background",
    )


def _smallest_type(plans: Sequence[AdPlan]) -> ScoreFeature:
    smallest, plan = min(
        (min([line.block.font_px for line in plan.lines] + [plan.button.font_px]), plan.size)
        for plan in plans
    )
    return _feature("smallest type", 10, _share(smallest, 9, 12), f"{smallest} px, in {plan}")


def _text_area(plans: Sequence[AdPlan]) -> ScoreFeature:
    shares = [
        sum(line.block.width * line.block.height for line in plan.lines) / (plan.width * plan.height)
        for plan in plans
    ]
    mean = sum(shares) / len(shares)
    return _feature(
        "text area",
        10,
        1 - _share(mean, 0.25, 0.5),
        f"text covers {mean:.0%} on average; at most 25% is best",
    )


def _button_area(plans: Sequence[AdPlan]) -> ScoreFeature:
    shares = [plan.button.box.width * plan.button.box.height / (plan.width * plan.height) for plan in plans]
    least = min(shares)
    return _feature("button size", 10, _share(least, 0.005, 0.02), f"at least {least:.1%} of the ad")


def _headline(copy: AdCopy, language: PageLanguage) -> ScoreFeature:
    """Score the length; scripts without spaces need about half the characters."""
    length = len(copy.headline)
    is_spaced = PHRASES[language].is_spaced
    shortest, best_from, best_to, longest = (4, 15, 45, 80) if is_spaced else (2, 7, 24, 42)
    share = min(_share(length, shortest, best_from), 1 - _share(length, best_to, longest))
    return _feature("headline length", 15, share, f"{length} characters; {best_from} to {best_to} are best")


def _readability(copy: AdCopy, language: PageLanguage) -> ScoreFeature:
    """Score by Automated Readability Index for English, by length of sentences for other languages."""
    text = f"{copy.headline}. {copy.body}"
    words = [word for word in text.split() if any(sign.isalnum() for sign in word)]
    sentences = max(1, sum(text.count(sign) for sign in ".!?·:。！？؟।"))
    letters = sum(sign.isalnum() for sign in text)
    if not PHRASES[language].is_spaced:
        pace = letters / sentences
        return _feature("readability", 10, 1 - _share(pace, 25, 60), f"{pace:.0f} characters per sentence")
    if language != "en":
        pace = len(words) / sentences
        unit = "syllables" if language == "vi" else "words"
        return _feature("readability", 10, 1 - _share(pace, 14, 30), f"{pace:.0f} {unit} per sentence")
    index = 4.71 * letters / max(1, len(words)) + 0.5 * len(words) / sentences - 21.43
    return _feature(
        "readability",
        10,
        1 - _share(index, 8, 16),
        f"Automated Readability Index {index:.0f}; 8 or less is best",
    )


def _call_to_action(copy: AdCopy, language: PageLanguage) -> ScoreFeature:
    calls = is_call_to_action(copy.cta, language)
    what = f"{copy.cta!r} {'is' if calls else 'is not'} a call to action"
    return _feature("call to action", 10, 1.0 if calls else 0.3, what)


def _feature(name: str, best: float, share: float, why: str) -> ScoreFeature:
    return ScoreFeature(
        name=name, points=round(best * min(1.0, max(0.0, share)), 1), max_points=best, why=why
    )


def _share(value: float, low: float, high: float) -> float:
    return min(1.0, max(0.0, (value - low) / (high - low)))
