"""The filter language, as documented by Google."""

import pytest

from signalbox_devstack.emulators.pubsub.errors import PubsubError
from signalbox_devstack.emulators.pubsub.filters import compile_filter

ACME = {"tenant": "acme", "type": "run.started", "ce-id": "1"}


@pytest.mark.parametrize(
    ("source", "matches"),
    [
        ('attributes.tenant = "acme"', True),
        ('attributes.tenant = "other"', False),
        ('attributes.missing = "x"', False),
        ('attributes.tenant != "other"', True),
        ('attributes.missing != "x"', True),
        ('attributes.tenant != "acme"', False),
        ("attributes:tenant", True),
        ("attributes:missing", False),
        ("NOT attributes:missing", True),
        ("-attributes:missing", True),
        ('attributes.ce-id = "1"', True),
        ('attributes."ce-id" = "1"', True),
        ('hasPrefix(attributes.type, "run.")', True),
        ('hasPrefix(attributes.missing, "")', False),
        ('attributes.tenant = "acme" AND attributes:type', True),
        ('attributes.tenant = "other" OR attributes:type', True),
        ('attributes:type AND (attributes.tenant = "other" OR attributes.tenant = "acme")', True),
        ('NOT (attributes:type AND attributes.tenant = "acme")', False),
        (r'attributes.tenant = "a\"b"', False),
    ],
)
def test_a_filter_matches_as_documented(source: str, matches: bool) -> None:
    predicate = compile_filter(source)

    assert predicate is not None
    assert predicate(ACME) is matches


@pytest.mark.parametrize("blank", ["", "   "])
def test_a_blank_filter_matches_everything(blank: str) -> None:
    assert compile_filter(blank) is None


@pytest.mark.parametrize(
    "source",
    [
        pytest.param('attributes:a AND attributes:b OR attributes.c = "1"', id="AND and OR mixed"),
        pytest.param('attributes.a == "1"', id="two equals signs"),
        pytest.param("attributes.a = 1", id="number"),
        pytest.param('data = "x"', id="not attributes"),
        pytest.param('attributes.a = "1', id="open string"),
        pytest.param('(attributes.a = "1"', id="open parenthesis"),
        pytest.param('attributes.a = "1" attributes.b = "2"', id="no operator"),
        pytest.param("AND", id="operator alone"),
        pytest.param('hasPrefix(attributes.a "x")', id="no comma"),
        pytest.param("attributes.", id="nothing after the dot"),
        pytest.param("attributes", id="attributes alone"),
        pytest.param(r'attributes.a = "\x"', id="bad escape"),
        pytest.param('attributes.a = "' + "x" * 256 + '"', id="over 256 bytes"),
    ],
)
def test_an_invalid_filter_expression_is_rejected(source: str) -> None:
    with pytest.raises(PubsubError, match="filter"):
        compile_filter(source)
