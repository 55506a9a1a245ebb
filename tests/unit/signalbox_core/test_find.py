"""Searchable fields and the subject of a contract, and the terms under which a run is found."""

from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Literal

import pytest
from msgspec import Meta, Struct

from signalbox_core.pipeline import Find, PipelineSpec, Secret, Step
from signalbox_core.pipeline.contract.find import (
    RunFacts,
    check_subject,
    find_fields,
    render_subject,
    run_terms,
)
from signalbox_core.pipeline.contract.search_terms import MAX_TERMS


class Shop(Struct, frozen=True):
    name: str = "Hiệu Sách"


class OrderInput(Struct, frozen=True, kw_only=True):
    url: str
    number: Annotated[str, Meta(title="Number"), Find("invoice")] | None = None
    sizes: Annotated[tuple[Literal["300x250", "728x90"], ...], Find] = ()
    day: Annotated[date | None, Find()] = None
    amount: Decimal = Decimal("12.50")
    shop: Shop = Shop()
    password: Secret | None = None


def spec_of(kind: type[Struct], subject: str = "") -> PipelineSpec[Any, Any]:
    return PipelineSpec(
        name="order",
        title="Order",
        input=kind,
        result=Shop,
        steps=(Step("a", "A"),),
        workflow="m:W",
        subject=subject,
    )


def test_a_field_is_found_by_its_name_or_the_one_of_its_marker() -> None:
    assert find_fields(OrderInput) == {"invoice": "number", "sizes": "sizes", "day": "day"}


class SecretFind(Struct, frozen=True):
    password: Annotated[Secret | None, Find()] = None


class NestedFind(Struct, frozen=True):
    orders: tuple[OrderInput, ...] = ()


class StructFind(Struct, frozen=True):
    shop: Annotated[Shop, Find()] = Shop()


class NamedFind(Struct, frozen=True):
    number: Annotated[str, Find("Order No")] = ""


class DoubledFind(Struct, frozen=True):
    number: Annotated[str, Find("no")] = ""
    no: Annotated[str, Find()] = ""


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        (SecretFind, "SecretFind.password is a Secret and cannot be a Find"),
        (NestedFind, "NestedFind.orders contains a Find; mark a field of the input itself"),
        (StructFind, "StructFind.shop cannot be a Find; it must be a text"),
        (NamedFind, "NamedFind.number: Find name 'Order No' must be lower case"),
        (DoubledFind, "DoubledFind.no: Find name 'no' is used twice"),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else "",
)
def test_a_field_that_cannot_be_searched_is_refused_with_the_contract(
    kind: type[Struct], reason: str
) -> None:
    with pytest.raises(ValueError, match=f"pipeline order: {reason}"):
        spec_of(kind)


@pytest.mark.parametrize(
    ("subject", "reason"),
    [
        pytest.param("{product}", "OrderInput has no field 'product'", id="unknown field"),
        pytest.param("{shop.city}", "Shop has no field 'city'", id="unknown nested field"),
        pytest.param("{url.port}", "OrderInput.url has no part 'port'", id="unknown part"),
        pytest.param("{amount.host}", "OrderInput.amount has no part 'host'", id="part of another type"),
        pytest.param("{password}", "which is a Secret; a subject is shown", id="secret"),
        pytest.param("{sizes}", "is not one value; use {sizes.count}", id="list"),
        pytest.param("{shop}", "is not one value", id="struct"),
        pytest.param("{url", "has a brace without a counterpart", id="brace"),
    ],
)
def test_a_subject_is_checked_with_the_contract(subject: str, reason: str) -> None:
    with pytest.raises(ValueError, match=f"pipeline order: .*{reason}"):
        spec_of(OrderInput, subject)


ORDER = OrderInput(
    url="https://lan:pw@Shop.example:8443/en/coffee/?token=t", sizes=("300x250",), day=date(2026, 3, 1)
)


@pytest.mark.parametrize(
    ("template", "subject"),
    [
        ("", ""),
        ("{url.host}", "shop.example"),
        ("{url.page}", "shop.example/en/coffee"),
        ("{shop.name} · {amount} · {number}", "Hiệu Sách · 12.50"),
        ("{sizes.count} sizes of {day}", "1 sizes of 2026-03-01"),
    ],
)
def test_a_subject_is_rendered_without_what_is_absent(template: str, subject: str) -> None:
    check_subject(template, OrderInput)

    assert render_subject(template, ORDER) == subject


@pytest.mark.parametrize("url", ["", "coffee", "http://[::1"])
def test_what_is_not_a_url_has_no_host(url: str) -> None:
    assert render_subject("{url.host} {url.page}", OrderInput(url=url)) == ""


def test_a_run_is_found_by_its_subject_starter_tags_id_and_fields() -> None:
    facts = RunFacts(run_id="order-7x", started_by="Đỗ Lan", starter="key:lan", tags=("Q4/ads",))
    order = OrderInput(url="https://shop.example/", number="C26T/0815", password=Secret("hunter2"))

    terms = run_terms("Cà phê", order, facts)

    expected = {
        "tag=q4-ads",
        "find.invoice=c26t-0815",
        "by=do-lan",
        "by=key-lan",
        "by=do",
        "by=lan",
        "by=la",
        "w=order",
        "w=7x",
        "w=ca",
        "w=phe",
        "w=ph",
        "w=q4",
        "w=0815",
        "w=c26t",
    }
    assert expected <= set(terms)
    assert not [term for term in terms if "hunter" in term or "shop" in term]


def test_a_long_text_does_not_exceed_the_limits_of_the_index() -> None:
    text = " ".join(f"word{number}" for number in range(1_000)) + "x" * 1_000

    terms = run_terms(text, OrderInput(url="", number=text), RunFacts(run_id="r"))

    assert len(terms) == MAX_TERMS
    assert max(map(len, terms)) < 150
