"""docs/api.md agrees with the code."""

import re
from pathlib import Path

import msgspec

from signalbox_core.crypto.api_keys import Role
from signalbox_gateway.http.error_codes import CODES
from signalbox_gateway.settings import Settings

PAGE = (Path(__file__).parents[3] / "docs" / "api.md").read_text()


def test_every_setting_is_on_the_page() -> None:
    for field in msgspec.structs.fields(Settings):
        assert field.name.upper() in PAGE, field.name


def test_every_role_is_on_the_page() -> None:
    assert all(f"`{role}`" in PAGE for role in Role)


def test_every_code_that_the_page_names_exists() -> None:
    named = set(re.findall(r"409 `([a-z_]+)`", PAGE)) | {
        "stale_digest",
        "approval_expired",
        "decision_id_taken",
        "other_origin",
        "run_ended",
    }
    assert all(f"`{code}`" in PAGE for code in named)
    assert named <= set(CODES)
