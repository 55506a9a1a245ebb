"""Forms made from a contract: what the form gives is what the contract takes, and problems go to their
fields."""

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

import msgspec
import pytest
from msgspec import Meta, Struct
from playwright.sync_api import Page, expect

from signalbox_core.pipeline.spec import json_schema


class Line(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    item: Annotated[str, Meta(title="Item", min_length=1)]
    count: Annotated[int, Meta(title="Count", ge=1, le=99)] = 1


class Address(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    street: Annotated[str, Meta(title="Street")]
    floor: Annotated[int, Meta(title="Floor")] | None = None


class Code(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Texts that browsers and Python measure and match differently, and required members that may be null."""

    code: Annotated[str, Meta(title="Code", pattern="(?i)^[a-z]+$")]
    cheer: Annotated[str, Meta(title="Cheer", max_length=3)]
    reason: Annotated[Literal["late", "wrong"], Meta(title="Reason")] | None
    floor: Annotated[int, Meta(title="Floor")] | None
    weights: Annotated[Mapping[str, int] | None, Meta(title="Weights")]
    size: Annotated[str | tuple[int, int] | None, Meta(title="Size")]


class Part(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    extra: Annotated[Mapping[str, int], Meta(title="Extra")] = {}


class Parts(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    parts: Annotated[tuple[Part, ...], Meta(title="Parts", min_length=2)]


class Lists(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Lists that mean something else when they are empty, null or left out."""

    names: Annotated[tuple[str, ...], Meta(min_length=1)] | None
    colours: tuple[Literal["red", "blue"], ...] | None
    lines: Annotated[tuple[Line, ...], Meta(min_length=1)] | None
    must: tuple[str, ...]
    other: tuple[Literal["red", "blue"], ...] | None = None
    tags: tuple[str, ...] = ("new",)
    shades: tuple[Literal["dark", "light"], ...] | None = ("dark",)
    more: Annotated[tuple[Line, ...], Meta(min_length=1)] | None = None


class Order(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One of everything a contract may ask for."""

    name: Annotated[str, Meta(title="Name", description="Whose order", min_length=2, max_length=40)]
    speed: Annotated[Literal["slow", "fast"], Meta(title="Speed")] = "slow"
    gift: Annotated[bool, Meta(title="Gift")] = False
    weight_kg: Annotated[float, Meta(title="Weight", ge=0)] | None = None
    tags: Annotated[tuple[str, ...], Meta(title="Tags", max_length=3)] = ()
    colours: Annotated[tuple[Literal["red", "blue"], ...], Meta(title="Colours")] = ("red",)
    address: Annotated[Address, Meta(title="Address")]
    lines: Annotated[tuple[Line, ...], Meta(title="Lines", min_length=1)]
    extra: Annotated[Mapping[str, int], Meta(title="Extra")] = {}
    points: Annotated[int, Meta(title="Points")] | None = None
    sizes: Annotated[tuple[float, ...], Meta(title="Sizes")] = ()


UNSENDABLE = (
    " is too large or too small to be sent unchanged. If it is an identifier, put it in quotation marks."
)
NOT_AS_TYPED = "This number is too large or too small to be sent unchanged."
SHOW = """async (schema) => {
    const { schemaForm } = await import("/console/js/forms/form.js");
    window.form = schemaForm(schema);
    document.body.replaceChildren(window.form.element);
}"""


@pytest.fixture
def form(modules: Page) -> Page:
    """A page that shows the form of Order; `window.form` is what the console's module returned."""
    modules.evaluate(SHOW, json_schema(Order))
    return modules


def test_what_only_python_understands_is_left_to_the_gateway_and_null_can_be_sent(modules: Page) -> None:
    modules.evaluate(SHOW, json_schema(Code))
    modules.get_by_label("Code").fill("ABC")
    modules.get_by_label("Cheer").fill("👍👍👍")
    assert problems(modules) == []
    expected = Code(code="ABC", cheer="👍👍👍", reason=None, floor=None, weights=None, size=None)
    assert msgspec.convert(modules.evaluate("form.read()"), Code) == expected
    modules.get_by_label("Cheer").fill("👍👍👍👍")
    assert [found["message"] for found in problems(modules)] == ["Shorten this to 3 characters; it has 4."]


def test_a_list_without_entries_is_null_where_it_may_be_and_does_not_get_its_default_back(
    modules: Page,
) -> None:
    modules.evaluate(SHOW, json_schema(Lists))
    modules.get_by_label("Tags").fill("")
    modules.get_by_label("Dark").uncheck()
    assert problems(modules) == []
    sent = modules.evaluate("form.read()")
    assert sent == {"names": None, "colours": None, "lines": None, "must": [], "tags": [], "shades": None}
    msgspec.convert(sent, Lists)


def test_the_form_sends_what_the_contract_accepts(form: Page) -> None:
    form.get_by_label("Name").fill("Lan")
    form.get_by_label("Speed").select_option("fast")
    form.get_by_label("Gift").check()
    form.get_by_label("Weight").fill("1.5")
    form.get_by_label("Tags").fill("a\n\n b \n")
    form.get_by_label("Blue").check()
    form.get_by_label("Street").fill("Phố Huế")
    form.get_by_label("Item").fill("coffee")
    form.get_by_label("Count").fill("3")
    form.get_by_label("Extra").fill('{"x": 1}')
    assert problems(form) == []
    assert msgspec.convert(form.evaluate("form.read()"), Order) == Order(
        name="Lan",
        speed="fast",
        gift=True,
        weight_kg=1.5,
        tags=("a", "b"),
        colours=("red", "blue"),
        address=Address(street="Phố Huế"),
        lines=(Line(item="coffee", count=3),),
        extra={"x": 1},
    )


def test_defaults_are_filled_in_and_the_empty_is_left_out(form: Page) -> None:
    form.get_by_label("Name").fill("Lan")
    form.get_by_label("Street").fill("Phố Huế")
    form.get_by_label("Item").fill("tea")
    order = msgspec.convert(form.evaluate("form.read()"), Order)
    assert order == Order(name="Lan", address=Address(street="Phố Huế"), lines=(Line(item="tea"),))


@pytest.mark.parametrize(
    ("label", "text", "problem"),
    [
        pytest.param("Name", "", "Fill this in.", id="required"),
        pytest.param("Name", "L", "Enter at least 2 characters.", id="too short"),
        pytest.param("Name", "L" * 41, "Shorten this to 40 characters; it has 41.", id="too long"),
        pytest.param("Weight", "-1", "Enter at least 0.", id="too small"),
        pytest.param("Count", "100", "Enter at most 99.", id="too large"),
        pytest.param("Count", "1.5", "Enter a whole number.", id="not whole"),
        pytest.param("Tags", "a\nb\nc\nd", "Enter at most 3; there are 4.", id="too many"),
        pytest.param("Extra", "{x}", "This is not valid JSON; check quotes and commas.", id="not JSON"),
        pytest.param("Extra", '{"x": 1e999}', f"1e999{UNSENDABLE}", id="infinite"),
        pytest.param("Extra", '{"x": [-1e-999]}', f"-1e-999{UNSENDABLE}", id="rounded to zero"),
        pytest.param("Extra", '{"x": 9007199254740993}', f"9007199254740993{UNSENDABLE}", id="rounded"),
        pytest.param("Points", "9007199254740993", NOT_AS_TYPED, id="a rounded number"),
        pytest.param("Sizes", "1\ntwo", "two: Enter a number.", id="not a number in a list"),
        pytest.param("Sizes", "1\n1e999", f"1e999: {NOT_AS_TYPED}", id="infinite in a list"),
    ],
)
def test_a_contract_violation_is_shown_before_it_is_sent(
    form: Page, label: str, text: str, problem: str
) -> None:
    form.get_by_label(label).fill(text)
    assert problem in [found["message"] for found in problems(form)]


@pytest.mark.parametrize("text", ["1e999", "1e", "-"])
def test_a_text_that_the_control_does_not_read_as_a_number_is_not_left_out(form: Page, text: str) -> None:
    form.get_by_label("Weight").press_sequentially(text)
    assert "Enter a number." in [found["message"] for found in problems(form)]


def test_numbers_that_are_sent_as_typed_are_accepted(form: Page) -> None:
    sent = '{"a": 9007199254740991, "b": -0, "c": 0.1, "d": 1e300, "e\\"": "9007199254740993", "f": 0e-999}'
    form.get_by_label("Extra").fill(sent)
    form.get_by_label("Sizes").fill("0.30000000000000004\n-1e-300\n007")
    assert {"extra", "sizes"}.isdisjoint(found["field"] for found in problems(form))


@pytest.mark.parametrize(
    ("path", "label"),
    [
        pytest.param("input.name", "Name", id="a field"),
        pytest.param("input.address.street", "Street", id="a field of a group"),
        pytest.param("input.lines[0].item", "Item", id="a field of a group in a list"),
        pytest.param("input.tags[1]", "Tags", id="one of several texts"),
    ],
)
def test_a_problem_of_the_server_is_shown_at_the_field_it_names(form: Page, path: str, label: str) -> None:
    form.evaluate("path => form.show([{ field: path, message: 'Not like this' }], 'input')", path)
    field = form.get_by_label(label)
    expect(field).to_be_focused()
    expect(field).to_have_attribute("aria-invalid", "true")
    expect(field).to_have_accessible_description(re.compile("Not like this$"))
    expect(form.get_by_role("alert")).to_contain_text("One problem to correct")


def test_a_problem_without_a_field_is_shown_above_the_form(form: Page) -> None:
    form.evaluate("form.show([{ field: 'input.elsewhere', message: 'is unknown: remove it' }], 'input')")
    expect(form.get_by_role("alert")).to_contain_text("elsewhere: is unknown: remove it")
    expect(form.get_by_role("alert")).to_be_focused()


def test_groups_are_added_and_removed_and_keep_their_paths(form: Page) -> None:
    form.get_by_role("button", name="Add one").click()
    form.get_by_label("Item").nth(0).fill("first")
    form.get_by_label("Item").nth(1).fill("second")
    form.get_by_role("button", name="Remove number 1").click()
    expect(form.get_by_label("Item")).to_have_value("second")
    form.evaluate("form.show([{ field: 'input.lines[0].item', message: 'Not like this' }], 'input')")
    expect(form.get_by_label("Item")).to_be_focused()


def test_a_removed_group_leaves_the_text_of_another_that_cannot_be_read_yet(modules: Page) -> None:
    modules.evaluate(SHOW, json_schema(Parts))
    modules.get_by_label("Extra").nth(1).fill('{"a": 1')
    modules.get_by_role("button", name="Remove number 1").click()
    expect(modules.get_by_label("Extra")).to_have_value('{"a": 1')
    assert "parts.0.extra" in [found["field"] for found in problems(modules)]


def problems(form: Page) -> Sequence[Mapping[str, str]]:
    return list(form.evaluate("form.problems()"))
