"""Every accepted media type has a class that reads it."""

from signalbox_pipelines.document_batch.document.contract import ENTITY_TYPES
from signalbox_pipelines.document_batch.document.extract.entities import FINDERS
from signalbox_pipelines.document_batch.document.read.formats import OPENERS
from signalbox_pipelines.document_batch.document.read.media_types import ACCEPTED


def test_every_accepted_media_type_can_be_opened() -> None:
    assert set(OPENERS) == ACCEPTED


def test_every_entity_type_has_a_finder() -> None:
    assert {entity_type for entity_type, _ in FINDERS} == set(ENTITY_TYPES)
