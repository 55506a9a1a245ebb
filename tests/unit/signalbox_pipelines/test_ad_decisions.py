"""Decisions on variants: validation and outcome. Validation of the input."""

import pytest

from signalbox_core.errors import InvalidInput
from signalbox_pipelines.ad_creative.contract import Ad, AdInput, AdScore, VariantDecision, VariantDecisions
from signalbox_pipelines.ad_creative.messages import AdCopy, RenderedAd, StoredPicture
from signalbox_pipelines.ad_creative.review.decisions import apply_decisions, check_decisions

PICTURE = StoredPicture(key="k", url="https://shop.example/a.jpg", alt="", width=1000, height=1000)


def rendered(variant: str, *, rounds: int = 0) -> RenderedAd:
    copy = AdCopy(
        variant=variant,
        version=1,
        angle="slogan",
        headline="Old",
        body="Words",
        cta="Buy",
        written_by="x",
        style="bold",
        round=rounds,
    )
    score = AdScore(points=90, features=())
    ad = Ad(
        variant=variant, version=1, headline="Old", body="Words", cta="Buy", style="bold",
        pictures=(), score=score, written_by="x", source_picture=PICTURE.url,
    )  # fmt: skip
    return RenderedAd(ad=ad, copy=copy, picture=PICTURE)


ASKED = [rendered("variant-1"), rendered("variant-2")]
FIRST = VariantDecision(variant="variant-1", action="approve")


@pytest.mark.parametrize(
    ("second", "field"),
    [
        pytest.param(
            VariantDecision(variant="variant-3", action="approve"), "decisions[1].variant", id="unknown"
        ),
        pytest.param(FIRST, "decisions[1].variant", id="twice"),
        pytest.param(
            VariantDecision(variant="variant-2", action="edit"),
            "decisions[1].headline",
            id="edit without text",
        ),
        pytest.param(
            VariantDecision(variant="variant-2", action="edit", headline=" "),
            "decisions[1].headline",
            id="blank headline",
        ),
        pytest.param(
            VariantDecision(variant="variant-2", action="edit", cta=""), "decisions[1].cta", id="blank button"
        ),
        pytest.param(
            VariantDecision(variant="variant-2", action="edit", headline="Old"),
            "decisions[1].action",
            id="edit of nothing",
        ),
        pytest.param(
            VariantDecision(variant="variant-2", action="reject"),
            "decisions[1].reason",
            id="reject without reason",
        ),
        pytest.param(
            VariantDecision(variant="variant-2", action="reject", reason=" "),
            "decisions[1].reason",
            id="blank reason",
        ),
    ],
)
def test_an_incomplete_decision_names_its_field(second: VariantDecision, field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        check_decisions(VariantDecisions(decisions=(FIRST, second)), ASKED)

    assert refused.value.field == field


def test_every_variant_must_be_decided() -> None:
    with pytest.raises(InvalidInput, match="variant-2 is not decided"):
        check_decisions(VariantDecisions(decisions=(FIRST,)), ASKED)


def test_an_edit_keeps_other_texts_and_increments_the_version() -> None:
    edit = VariantDecision(variant="variant-2", action="edit", headline="  New   words ", body="")
    check_decisions(VariantDecisions(decisions=(FIRST, edit)), ASKED)

    outcome = apply_decisions(VariantDecisions(decisions=(FIRST, edit)), ASKED, redo_rounds=0)

    (edited,) = outcome.edited
    assert (edited.copy.headline, edited.copy.body, edited.copy.cta, edited.copy.version) == (
        "New words",
        "",
        "Buy",
        2,
    )
    assert edited.copy.written_by == "x, edited by a person"


@pytest.mark.parametrize(
    ("done", "allowed", "final"), [(0, 1, False), (1, 1, True), (0, 0, True), (2, 3, False)]
)
def test_a_rejection_is_final_after_the_redo_rounds(done: int, allowed: int, final: bool) -> None:
    no = VariantDecision(variant="variant-1", action="reject", reason="dull")

    outcome = apply_decisions(
        VariantDecisions(decisions=(no,)), [rendered("variant-1", rounds=done)], redo_rounds=allowed
    )

    assert (len(outcome.rejected), len(outcome.redone)) == ((1, 0) if final else (0, 1))


@pytest.mark.parametrize(
    ("url", "remedy"),
    [
        ("shop.example/x", "must start with"),
        ("ftp://shop.example", "must start with"),
        ("https://a.example https://b.example", "one URL only"),
    ],
)
def test_an_invalid_url_is_refused(url: str, remedy: str) -> None:
    with pytest.raises(InvalidInput, match=remedy) as refused:
        AdInput(url=url)

    assert refused.value.field == "url"


def test_a_duplicate_size_is_refused() -> None:
    with pytest.raises(InvalidInput, match="300x250 occurs twice"):
        AdInput(url="https://shop.example/x", sizes=("300x250", "300x250"))
