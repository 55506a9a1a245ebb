import pytest

from signalbox_core.errors import Conflict, InvalidInput, RateLimited, SignalboxError
from signalbox_core.ids import RUN_ID, derived_id, new_run_id, parse_run_id


def test_an_error_carries_code_field_and_facts() -> None:
    error = Conflict("run x was already approved by lan", code="already_decided", decided_by="lan")
    assert (error.stable_code, error.detail, error.facts) == (
        "already_decided",
        "run x was already approved by lan",
        {"decided_by": "lan"},
    )
    assert InvalidInput("too small", field="input.variants").field == "input.variants"


def test_a_detail_never_grows_past_its_limit() -> None:
    assert len(SignalboxError("x" * 20_000).detail) == SignalboxError.max_detail_chars


def test_rate_limited_gives_a_retry_delay() -> None:
    assert RateLimited("slow down", retry_after_s=3).retry_after_s == 3


def test_run_ids_are_valid_sort_by_time_and_differ() -> None:
    ids = [new_run_id("ad_creative") for _ in range(100)]
    assert all(RUN_ID.fullmatch(run_id) for run_id in ids)
    assert len(set(ids)) == 100
    assert ids[0].startswith("ad-creative-")


def test_derived_ids_are_stable_and_separate_their_parts() -> None:
    assert derived_id("a", "b") == derived_id("a", "b")
    assert derived_id("a", "b") != derived_id("ab", "") != derived_id("", "ab")
    assert len(derived_id("a", length=10)) == 10


@pytest.mark.parametrize("text", ["", "-a", "a b", "a/b", "a" * 129, "ü"])
def test_a_malformed_run_id_is_refused_by_name(text: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_run_id(text)
    assert caught.value.field == "run_id"
