"""The browser tests open every view: the list of views has each pattern of the route table."""

import re

import pytest

from signalbox_gateway.web import STATIC
from support.drivers.console_views import VIEWS, View, all_views

ROUTES = (STATIC / "js" / "routes.js").read_text()
IDS = {"run": "run-1", "ended": "run-2", "schedule": "nightly"}


def test_every_pattern_of_the_route_table_has_a_view() -> None:
    patterns = re.findall(r"\{ pattern: /(\S+)/, section:", ROUTES)
    assert len(patterns) == ROUTES.count("{ pattern:")
    assert set(VIEWS) == set(patterns)


@pytest.mark.parametrize(
    ("pattern", "view"), [(pattern, view) for pattern, views in VIEWS.items() for view in views], ids=str
)
def test_a_view_has_an_address_of_its_pattern(pattern: str, view: View) -> None:
    assert re.fullmatch(pattern, view.place.format(**IDS).split("?")[0])


def test_every_tab_of_a_run_is_a_view() -> None:
    tabs = re.search(r"TABS = \{([^}]*)\}", (STATIC / "js" / "run" / "tabs.js").read_text())
    assert tabs is not None
    names = re.findall(r"(\w+): \"", tabs[1])
    places = {view.place.rpartition("/")[2] for view in all_views()}
    assert set(names) <= places
