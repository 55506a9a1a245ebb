"""The routes file: what it selects, and how a mistake in it is named."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from signalbox_core.errors import InvalidInput
from signalbox_gateway.notifications.routes_file import follow_routes, kind_of, load_routes

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
MAIL = {"host": "mail.test", "sender": "Signalbox <signalbox@example.com>"}
DESTINATIONS = {
    "lan": {"kind": "mail", "to": "lan@acme.test"},
    "chat": {"kind": "slack", "url_file": "slack-url"},
    "teams": {"kind": "teams", "url_file": "slack-url"},
    "crm": {"kind": "webhook", "url": "https://crm.test/hook", "secret_file": "crm-secret"},
}


def write_routes(folder: Path, content: Mapping[str, object]) -> Path:
    (folder / "slack-url").write_text("https://hooks.slack.test/services/T0/B0/secret-part\n")
    (folder / "crm-secret").write_text(f"{SECRET}\n")
    (folder / "empty").write_text("")
    (folder / "not-a-url").write_text("hooks.slack.test/secret-part")
    path = folder / "notifications.json"
    path.write_text(json.dumps(content))
    return path


def of_acme(
    routes: list[object], destinations: Mapping[str, object] = DESTINATIONS, **more: object
) -> dict[str, object]:
    return {"mail": MAIL, "tenants": {"acme": {"destinations": destinations, "routes": routes}}, **more}


def test_an_event_goes_to_each_destination_of_its_routes_once(tmp_path: Path) -> None:
    routes = load_routes(
        write_routes(
            tmp_path,
            of_acme(
                [
                    {"to": ["lan", "chat"]},
                    {"to": ["lan", "crm"], "events": ["approval.requested", "approval.decided"]},
                ]
            ),
        )
    )
    assert sorted(routes.select("acme", "approval.requested")) == ["chat", "crm", "lan"]
    assert sorted(routes.select("acme", "approval.expired")) == ["chat", "lan"]
    assert sorted(routes.select("acme", "approval.decided")) == ["crm", "lan"]
    assert routes.select("acme", "approval.withdrawn") == {}
    assert routes.select("other", "approval.requested") == {}
    assert [kind_of(item) for item in routes.destinations("acme").values()] == [
        "mail",
        "slack",
        "teams",
        "webhook",
    ]


def test_a_route_for_a_group_gets_what_was_handed_over_to_it(tmp_path: Path) -> None:
    routes = load_routes(
        write_routes(tmp_path, of_acme([{"to": ["chat"]}, {"for": "group:heads", "to": ["lan"]}]))
    )
    event = "approval.escalated"
    assert sorted(routes.select("acme", event, frozenset({"group:heads"}))) == ["chat", "lan"]
    assert sorted(routes.select("acme", event, frozenset({"group:leads"}))) == ["chat"]
    assert sorted(routes.select("acme", event)) == ["chat"]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        pytest.param({"tenant": {}}, "unknown field `tenant`", id="unknown member"),
        pytest.param({}, "missing required field `tenants`", id="no tenants"),
        pytest.param(
            of_acme([], {"x": {"kind": "pager"}}), r"Invalid value 'pager' - at .*kind", id="unknown kind"
        ),
        pytest.param(of_acme([], {"x": {"to": "a@b.test"}}), "missing required field `kind`", id="no kind"),
        pytest.param(of_acme([], {"x": {"kind": "mail", "to": "lan"}}), r"at .*\.to", id="no address"),
        pytest.param(of_acme([], {"X Y": DESTINATIONS["chat"]}), "at `key` in", id="bad name"),
        pytest.param(
            of_acme([{"to": ["an"]}]),
            "a route of tenant 'acme' names no destination: 'an'",
            id="unknown destination",
        ),
        pytest.param(
            of_acme([{"to": ["lan"], "events": ["run.started"]}]),
            "has the event 'run.started'; possible: approval.requested, ",
            id="other event",
        ),
        pytest.param(
            of_acme([{"to": ["lan"], "for": "heads"}]), "is for 'heads'; use group:<name>", id="no addressee"
        ),
        pytest.param(of_acme([{"to": []}]), r"at .*routes\[0\]\.to", id="route to nothing"),
        pytest.param(
            of_acme([], mail=None),
            "destination 'lan' of tenant 'acme': a destination of the kind mail needs the member `mail`",
            id="no mail server",
        ),
        pytest.param(
            of_acme([], {"x": {"kind": "slack", "url_file": "nowhere"}}),
            "cannot read the secret file .*nowhere: No such file",
            id="no secret file",
        ),
        pytest.param(
            of_acme([], {"x": {"kind": "teams", "url_file": "empty"}}), "is empty", id="empty secret file"
        ),
        pytest.param(
            of_acme([], {"x": {"kind": "webhook", "url": "https://x.test", "secret_file": "slack-url"}}),
            "a secret is whsec_ and",
            id="no secret",
        ),
        pytest.param(
            of_acme([], {"x": {"kind": "webhook", "url": "ftp://x.test", "secret_file": "crm-secret"}}),
            "not a URL",
            id="other scheme",
        ),
    ],
)
def test_a_mistake_is_named_with_its_place(
    tmp_path: Path, content: Mapping[str, object], problem: str
) -> None:
    with pytest.raises(InvalidInput, match=problem) as raised:
        load_routes(write_routes(tmp_path, content))
    assert raised.value.field == "SIGNALBOX_GATEWAY_NOTIFICATIONS_FILE"


def test_an_error_repeats_no_secret(tmp_path: Path) -> None:
    wrong = of_acme([], {"x": {"kind": "slack", "url_file": "not-a-url"}})
    with pytest.raises(InvalidInput, match="not a URL: use https://host/path") as raised:
        load_routes(write_routes(tmp_path, wrong))
    assert "secret-part" not in raised.value.detail


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="cannot be read: No such file"):
        follow_routes(str(tmp_path / "nowhere.json"))
    assert follow_routes(None) is None
