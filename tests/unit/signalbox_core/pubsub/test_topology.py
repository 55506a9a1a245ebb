"""The topology's own consistency; creating it is tested against a server."""

from signalbox_core.topology import (
    DOMAIN_EVENTS,
    LIFECYCLE,
    PROJECTOR,
    SUBSCRIPTIONS,
    TOPICS,
    tenant_subscription,
)

NAMES = {topic.name for topic in TOPICS}


def test_every_subscription_and_dead_letter_uses_a_defined_topic() -> None:
    assert {each.topic for each in SUBSCRIPTIONS} <= NAMES
    assert {each.dead_letter_topic for each in SUBSCRIPTIONS if each.dead_letter_topic} <= NAMES


def test_every_dead_letter_topic_is_held_by_a_subscription() -> None:
    held = {each.topic for each in SUBSCRIPTIONS}
    assert {each.dead_letter_topic for each in SUBSCRIPTIONS if each.dead_letter_topic} <= held


def test_the_projector_is_ordered() -> None:
    (projector,) = (each for each in SUBSCRIPTIONS if each.name == PROJECTOR)
    assert projector.is_ordered
    assert projector.topic == LIFECYCLE


def test_a_tenants_subscription_quotes_the_tenant() -> None:
    subscription = tenant_subscription("acme-events", 'ac"me\\', topic=DOMAIN_EVENTS)
    assert subscription.filter == r'attributes.ce-tenantid = "ac\"me\\"'
