"""The keys and policies in use, as items without secrets that can be compared and shown."""

import hashlib
from collections.abc import Iterable, Mapping
from typing import Literal

from signalbox_core.crypto.api_keys import ApiKey
from signalbox_core.crypto.sealing import KeyRing
from signalbox_core.events.policy import describe_policy
from signalbox_core.pipeline import PipelineSpec
from signalbox_core.redis.sender_key_reports import ReportedSenderKey
from signalbox_gateway.auth.decision_links import LinkKeys
from signalbox_gateway.changes.difference import TrackedItem

SettingKind = Literal["api_key", "payload_key", "link_key", "sender_key", "policy"]
"""The first part of the name of the event that records a change: `api_key.added`."""


def api_key_items(keys: Iterable[ApiKey]) -> tuple[TrackedItem, ...]:
    """The API keys, without their names, which are personal: revisions are never erased."""
    return tuple(
        TrackedItem(
            tenant=key.tenant,
            id=key.id,
            facts={
                "kind": key.kind,
                "groups": ", ".join(sorted(key.groups)),
                "roles": ", ".join(sorted(key.roles)),
                "expires_at": key.expires_at.isoformat() if key.expires_at is not None else "never",
            },
            fingerprint=_digest(f"{key.sha256.lower()} {key.stable_subject}"),
        )
        for key in keys
    )


def payload_key_items(ring: KeyRing | None) -> tuple[TrackedItem, ...]:
    """The keys that encrypt payloads; the active one encrypts, the others decrypt."""
    if ring is None:
        return ()
    state = ring.describe()
    return tuple(
        TrackedItem(
            tenant=None,
            id=key_id,
            facts={"use": "encrypts" if key_id == state.active else "decrypts"},
            fingerprint=fingerprint,
        )
        for key_id, fingerprint in state.fingerprints.items()
    )


def link_key_items(keys: LinkKeys | None) -> tuple[TrackedItem, ...]:
    """The keys of decision links, named by their fingerprints; the first one signs, the others verify."""
    if keys is None:
        return ()
    return tuple(
        TrackedItem(tenant=None, id=name, facts={"use": "verifies" if at else "signs"})
        for at, name in enumerate(keys.fingerprints())
    )


def sender_key_items(keys: Iterable[ReportedSenderKey]) -> tuple[TrackedItem, ...]:
    """The keys that the receivers accept: those of event senders, and the signing keys of workers."""
    return tuple(
        TrackedItem(
            tenant=key.tenant if key.tenant != "*" else None,
            id=key.id,
            facts=key.facts,
            fingerprint=key.fingerprint,
        )
        for key in keys
    )


def policy_items(pipelines: Mapping[str, PipelineSpec]) -> tuple[TrackedItem, ...]:
    """The policies of the contracts, by pipeline and approval."""
    return tuple(
        TrackedItem(
            tenant=None,
            id=f"{spec.name}/{approval.name}",
            facts={"policy_digest": approval.policy.digest, "rules": describe_policy(approval.policy)},
        )
        for spec in pipelines.values()
        for approval in spec.approvals
    )


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
