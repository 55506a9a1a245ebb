"""Changes of keys and policies: which difference is an entry of the ledger, and each exactly once."""

import base64
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import get_args

import msgspec
import pytest
from msgspec import Struct
from msgspec.structs import replace

from signalbox_core.crypto.api_keys import ApiKey, Role
from signalbox_core.crypto.sealing import KeyRing, PayloadKeyFile, new_payload_key
from signalbox_core.errors import Unavailable
from signalbox_core.events import CloudEvent
from signalbox_core.ledger.entries import RECORDED_CHANGES, decode_entry
from signalbox_core.ledger.layout import LogKeys
from signalbox_core.ledger.log import TenantLog
from signalbox_core.ledger.tiles import decode_bundle
from signalbox_core.objects import MutableObjectStore, ObjectRef
from signalbox_core.pipeline import Approval, PipelineSpec, Policy, Quorum
from signalbox_core.redis.sender_key_reports import ReportedSenderKey
from signalbox_core.testing.objects import FakeObjectStore
from signalbox_gateway.auth.decision_links import LinkKeys
from signalbox_gateway.changes.difference import TrackedItem, find_differences
from signalbox_gateway.changes.revisions import RevisionStore
from signalbox_gateway.changes.settings_recorder import SettingsInUse, SettingsRecorder
from signalbox_gateway.changes.tracked_settings import (
    SettingKind,
    api_key_items,
    link_key_items,
    payload_key_items,
    policy_items,
    sender_key_items,
)
from support.fakes.ledger import SIGNER, CrashingStore

NOW = datetime(2026, 11, 30, 9, 0, tzinfo=UTC)


def item(name: str, *, tenant: str | None = "acme", secret: str = "", **facts: str) -> TrackedItem:
    return TrackedItem(tenant=tenant, id=name, facts=facts, fingerprint=secret)


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        pytest.param([], [], [], id="nothing"),
        pytest.param([item("a", use="x")], [item("a", use="x")], [], id="same"),
        pytest.param([item("a"), item("b")], [item("b"), item("a")], [], id="other order"),
        pytest.param([], [item("a")], [("added", "acme", "a", ())], id="added"),
        pytest.param([item("a")], [], [("removed", "acme", "a", ())], id="removed"),
        pytest.param(
            [item("a", groups="legal", kind="human")],
            [item("a", groups="legal, leads", kind="service")],
            [("changed", "acme", "a", ("groups", "kind"))],
            id="members changed",
        ),
        pytest.param(
            [item("a", secret="1")],
            [item("a", secret="2")],
            [("changed", "acme", "a", ("secret",))],
            id="secret",
        ),
        pytest.param(
            [item("a")],
            [item("a", tenant="other")],
            [("removed", "acme", "a", ()), ("added", "other", "a", ())],
            id="moved to another tenant",
        ),
    ],
)
def test_which_difference_is_an_entry(
    before: Sequence[TrackedItem], after: Sequence[TrackedItem], expected: Sequence[tuple[object, ...]]
) -> None:
    found = [(each.kind, each.tenant, each.id, each.members) for each in find_differences(before, after)]
    assert found == list(expected)


def test_what_is_compared_of_an_api_key() -> None:
    key = ApiKey(
        id="ops", sha256="a1" * 32, tenant="acme", roles=frozenset({Role.VIEWER, Role.APPROVER}), name="Lan"
    )
    (found,) = api_key_items([key])
    assert found.facts == {
        "kind": "human",
        "groups": "",
        "roles": "approver, viewer",
        "expires_at": "never",
    }
    assert key.sha256 not in repr(found)
    assert "Lan" not in repr(found)


def test_payload_keys_are_named_by_id_and_reveal_nothing(tmp_path: Path) -> None:
    first, second = new_payload_key(), new_payload_key()
    path = tmp_path / "payload.json"
    path.write_bytes(msgspec.json.encode(PayloadKeyFile(active=second.id, keys=(first, second))))
    found = payload_key_items(KeyRing(path))
    assert [(each.id, each.facts) for each in found] == [
        (first.id, {"use": "decrypts"}),
        (second.id, {"use": "encrypts"}),
    ]
    assert first.key not in repr(found)
    assert base64.b64decode(first.key).hex() not in repr(found)
    assert payload_key_items(None) == ()


def test_the_first_link_key_signs_and_a_rotation_is_a_change() -> None:
    old, new = b"o" * 32, b"n" * 32
    differences = find_differences(link_key_items(LinkKeys((old,))), link_key_items(LinkKeys((new, old))))
    assert sorted((each.kind, each.members) for each in differences) == [("added", ()), ("changed", ("use",))]
    assert link_key_items(None) == ()


def test_a_sender_key_of_all_tenants_is_shared() -> None:
    worker = ReportedSenderKey(id="worker", tenant="*", facts={"sender": "worker"}, fingerprint="a1")
    billing = ReportedSenderKey(id="billing-1", tenant="acme", facts={"sender": "billing"}, fingerprint="b1")
    before = sender_key_items([worker, billing])
    after = sender_key_items([worker, replace(billing, fingerprint="b2")])

    (found,) = find_differences(before, after)

    assert [each.tenant for each in before] == [None, "acme"]
    assert (found.kind, found.tenant, found.id, found.members) == (
        "changed",
        "acme",
        "billing-1",
        ("secret",),
    )


def test_a_policy_is_compared_by_its_digest_and_shown_as_rules() -> None:
    class Answer(Struct, frozen=True, kw_only=True):
        ok: bool

    def spec(policy: Policy) -> PipelineSpec[Answer, Answer]:
        approval = Approval(name="publish", title="Publish?", answer=Answer, policy=policy)
        return PipelineSpec(
            name="ads",
            title="Ads",
            input=Answer,
            result=Answer,
            steps=(),
            approvals=(approval,),
            workflow="ads:Ads",
        )

    strict = Policy(quorum=(Quorum(2, group="legal"),))
    before, after = policy_items({"ads": spec(Policy())}), policy_items({"ads": spec(strict)})
    (found,) = find_differences(before, after)
    assert (found.kind, found.tenant, found.id) == ("changed", None, "ads/publish")
    assert found.members == ("policy_digest", "rules")
    assert found.after == {"policy_digest": strict.digest, "rules": "2 of legal must agree"}


class _Deployment:
    """Gateways that share an object store; what they publish goes to the ledgers, also twice."""

    def __init__(self, store: FakeObjectStore) -> None:
        self.store = store
        self.items: tuple[TrackedItem, ...] = ()
        self.published: list[CloudEvent] = []
        self.kills_after: int | None = None

    def gateway(self, store: MutableObjectStore | None = None) -> SettingsRecorder:
        return SettingsRecorder(
            RevisionStore(store or self.store),
            self._read,
            lambda: ["acme", "beta"],
            self._publish,
            clock=self._clock,
        )

    async def entries(self, tenant: str) -> list[str]:
        """The events and items of a tenant's ledger."""
        store = FakeObjectStore()
        log = TenantLog(store, tenant, [SIGNER])
        for event in self.published:
            if event.tenantid == tenant:
                await log.append([event])
        batches = sorted(key for key in store.bodies if key.startswith(f"{LogKeys(tenant).folder}/journal/"))
        bodies = [body for batch in batches for body in decode_bundle(store.bodies[batch])]
        return [f"{entry.event} {entry.item}" for entry in map(decode_entry, bodies)]

    async def _read(self) -> SettingsInUse:
        return {"api_key": self.items}

    async def _publish(self, event: CloudEvent) -> None:
        if self.kills_after is not None:
            if self.kills_after == 0:
                raise Unavailable("killed here")
            self.kills_after -= 1
        self.published.append(event)

    def _clock(self) -> datetime:
        return NOW + timedelta(seconds=len(self.published))


A1, A2, B1 = item("a", kind="human"), item("a", kind="service"), item("b", tenant="beta")
STORY = [((A1,), ["api_key.added a"]), ((A2, B1), ["api_key.changed a"]), ((B1,), ["api_key.removed a"])]
"""States of the key file one after the other, each with its entries in the ledger of acme."""


async def test_each_change_is_one_entry_for_three_gateways_that_restart() -> None:
    deployment = _Deployment(FakeObjectStore())
    expected: list[str] = []
    for items, added in [*STORY, *STORY, *STORY]:
        deployment.items = items
        expected += added
        for _ in range(3):
            gateway = deployment.gateway()
            await gateway.check()
            await gateway.check()
        assert await deployment.entries("acme") == expected
    new, gone = "api_key.added b", "api_key.removed b"
    assert await deployment.entries("beta") == [new, gone, new, gone, new]


async def test_a_gateway_killed_at_any_write_loses_and_doubles_nothing() -> None:
    for at in range(1, 5):
        for is_written in (False, True):
            deployment = _Deployment(FakeObjectStore())
            deployment.items = (A1,)
            await deployment.gateway().check()
            deployment.items = (A2,)
            broken = CrashingStore(deployment.store.bodies, at=at, is_written=is_written)
            with suppress(Unavailable):
                await deployment.gateway(broken).check()
            await deployment.gateway().check()
            assert await deployment.entries("acme") == ["api_key.added a", "api_key.changed a"]


async def test_a_gateway_killed_while_it_publishes_loses_and_doubles_nothing() -> None:
    for survives in range(4):
        deployment = _Deployment(FakeObjectStore())
        deployment.items = (A1, item("c"), item("d"), item("e"))
        deployment.kills_after = survives
        with pytest.raises(Unavailable):
            await deployment.gateway().check()
        deployment.kills_after = None
        deployment.items = (*deployment.items, item("f"))
        await deployment.gateway().check()
        counted = Counter(await deployment.entries("acme"))
        assert counted == {f"api_key.added {name}": 1 for name in "acdef"}


async def test_the_loser_of_a_race_continues_after_the_winner() -> None:
    class SlowStore(FakeObjectStore):
        """Another gateway, with another version of the file, creates the revision first."""

        async def put_new(self, key: str, body: bytes, media_type: str) -> ObjectRef:
            if not raced and key.startswith("settings/"):
                raced.append(key)
                deployment.items = (A1,)
                await deployment.gateway().check()
                deployment.items = (A2,)
            return await super().put_new(key, body, media_type)

    raced: list[str] = []
    deployment = _Deployment(SlowStore())
    deployment.items = (A2,)
    await deployment.gateway().check()
    assert raced == ["settings/api_key/000000000001"]
    assert await deployment.entries("acme") == ["api_key.added a", "api_key.changed a"]


async def test_a_change_that_all_tenants_share_is_in_the_ledger_of_each() -> None:
    deployment = _Deployment(FakeObjectStore())
    deployment.items = (item("2026-key", tenant=None),)
    await deployment.gateway().check()
    assert await deployment.entries("acme") == await deployment.entries("beta") == ["api_key.added 2026-key"]
    assert len({event.id for event in deployment.published}) == 2


def test_every_change_of_a_setting_is_recorded() -> None:
    kinds = get_args(SettingKind)
    names = {f"{kind}.{change}" for kind in kinds for change in ("added", "changed", "removed")}
    assert names <= RECORDED_CHANGES
