"""The alert rules and dashboards in compose/observability: their queries and the metrics that those name."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

import yaml

from support.docs.doc_names import ROOT

FOLDER: Final = ROOT / "compose/observability"
_NAME: Final = re.compile(r"\b(?:signalbox|temporal|process)_[a-z0-9_]+\b|\bup\b")
_QUOTED: Final = re.compile(r'"[^"]*"')
_RECORDED: Final = re.compile(r"\bsignalbox:[a-z0-9_:]+")
_SUFFIX: Final = re.compile(r"_(?:bucket|sum|count)$")
_RATE_INTERVAL: Final = "5m"


def rules() -> list[Mapping[str, Any]]:
    """The recording rules and the alerts."""
    groups = yaml.safe_load((FOLDER / "rules.yaml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def alerts() -> list[Mapping[str, Any]]:
    return [rule for rule in rules() if "alert" in rule]


class PanelQuery(NamedTuple):
    """A query of a panel, as Prometheus takes it. `is_quiet`: it may have no data."""

    panel: str
    query: str
    is_quiet: bool


def dashboard_queries() -> Iterator[PanelQuery]:
    for path in sorted((FOLDER / "dashboards").glob("*.json")):
        dashboard = json.loads(path.read_text())
        for panel in dashboard["panels"]:
            for target in panel["targets"]:
                query = target["expr"].replace("$__rate_interval", _RATE_INTERVAL)
                yield PanelQuery(f"{dashboard['title']}: {panel['title']}", query, bool(panel["description"]))


def metrics_of(query: str) -> set[str]:
    """The metrics that a query reads; of a histogram its base name."""
    return {_SUFFIX.sub("", name) for name in _NAME.findall(_QUOTED.sub("", query))}


def recorded_in(query: str) -> set[str]:
    """The recording rules that a query reads."""
    return set(_RECORDED.findall(query))
