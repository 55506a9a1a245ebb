"""A setting of a pipeline under a name of the service is refused with the name to use."""

import pytest
from msgspec import Struct

from signalbox_core.errors import InvalidInput
from signalbox_core.settings import read_settings


class PlainSettings(Struct, frozen=True, kw_only=True):
    port: int = 1


def test_a_pipelines_setting_must_not_begin_with_the_prefix_of_the_service() -> None:
    with pytest.raises(InvalidInput, match="call a pipeline's setting ACME_URL, for example"):
        read_settings(PlainSettings, prefix="SIGNALBOX_WORKER", environ={"SIGNALBOX_WORKER_ACME_URL": "x"})

    assert read_settings(PlainSettings, prefix="SIGNALBOX_WORKER", environ={"ACME_URL": "x"}).port == 1
