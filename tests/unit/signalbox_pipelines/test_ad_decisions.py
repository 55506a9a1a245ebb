"""Decisions on variants: complete ones only, and what follows from each."""

import pytest

from signalbox_core.errors import InvalidInput
from signalbox_pipelines.ad_creative.contract import Ad, AdInput, Score, VariantDecision, VariantDecisions
from signalbox_pipelines.ad_creative.messages import Copy, Drawn, StoredPicture
from signalbox_pipelines.ad_creative.review.decisions import check_decisions, sort_out

PICTURE = StoredPicture(key="k", url="https://shop.example/a.jpg", alt="", width=1000, height=1000)


def drawn(variant: str, *, rounds: int = 0) -> Drawn:
    copy = Copy(
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
    score = Score(points=90, features=())
    ad = Ad(
        variant=variant, version=1, headline="Old", body="Words", cta="Buy", style="bold", pictures=(), score=score, written_by="x",
        source_picture=PICTURE.url,
    )  # fmt: skip
    return Drawn(ad=ad, copy=copy, picture=PICTURE)


ASKED = [drawn("variant-1"), drawn("variant-2")]
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


def test_an_edit_keeps_what_it_does_not_name_and_counts_as_a_version() -> None:
    edit = VariantDecision(variant="variant-2", action="edit", headline="  New   words ", body="")
    check_decisions(VariantDecisions(decisions=(FIRST, edit)), ASKED)

    outcome = sort_out(VariantDecisions(decisions=(FIRST, edit)), ASKED, redo_rounds=0)

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
def test_a_rejection_is_final_when_the_rounds_are_used_up(done: int, allowed: int, final: bool) -> None:
    no = VariantDecision(variant="variant-1", action="reject", reason="dull")

    outcome = sort_out(
        VariantDecisions(decisions=(no,)), [drawn("variant-1", rounds=done)], redo_rounds=allowed
    )

    assert (len(outcome.rejected), len(outcome.redone)) == ((1, 0) if final else (0, 1))


@pytest.mark.parametrize(
    ("url", "remedy"),
    [
        ("shop.example/x", "must start with"),
        ("ftp://shop.example", "must start with"),
        ("https://a.example https://b.example", "one address only"),
    ],
)
def test_a_wrong_address_is_refused_before_anything_starts(url: str, remedy: str) -> None:
    with pytest.raises(InvalidInput, match=remedy) as refused:
        AdInput(url=url)

    assert refused.value.field == "url"


def test_a_size_is_named_once() -> None:
    with pytest.raises(InvalidInput, match="300x250 twice"):
        AdInput(url="https://shop.example/x", sizes=("300x250", "300x250"))
