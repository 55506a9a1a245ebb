"""Secrets by reference: where they are found, and that they are never shown."""

import itertools
from pathlib import Path

import pytest

from signalbox_core.crypto.secret_refs import FOLDER, SecretRefs, variable_of
from signalbox_core.errors import InvalidInput, NotFound, Unavailable


def put(folder: Path, tenant: str, name: str, text: str) -> None:
    (folder / tenant).mkdir(exist_ok=True)
    (folder / tenant / name).write_text(text)


async def test_a_file_wins_over_the_environment_and_is_read_anew(tmp_path: Path) -> None:
    refs = SecretRefs({FOLDER: str(tmp_path), "SIGNALBOX_SECRET__ACME__GDT_PORTAL": "from the environment"})

    assert (await refs.get("acme", "gdt-portal")).reveal() == "from the environment"
    put(tmp_path, "acme", "gdt-portal", "from the file\n")
    assert (await refs.get("acme", "gdt-portal")).reveal() == "from the file"
    put(tmp_path, "acme", "gdt-portal", "changed")
    assert (await refs.get("acme", "gdt-portal")).reveal() == "changed"


async def test_another_tenants_secret_is_not_there(tmp_path: Path) -> None:
    put(tmp_path, "acme", "gdt-portal", "s3cret")

    with pytest.raises(NotFound) as refused:
        await SecretRefs({FOLDER: str(tmp_path)}).get("other", "gdt-portal")

    assert refused.value.stable_code == "unknown_secret"
    assert "SIGNALBOX_SECRET__OTHER__GDT_PORTAL" in refused.value.detail


@pytest.mark.parametrize(
    ("tenant", "name"), [("acme", "eu--portal"), ("acme--eu", "portal"), ("acme-", "-portal")]
)
async def test_an_ambiguous_variable_is_not_read(tenant: str, name: str) -> None:
    shared = {"SIGNALBOX_SECRET__ACME__EU__PORTAL": "s3cret", "SIGNALBOX_SECRET__ACME____PORTAL": "s3cret"}

    with pytest.raises((NotFound, InvalidInput)):
        await SecretRefs(shared).get(tenant, name)


async def test_a_name_with_a_double_dash_has_a_file(tmp_path: Path) -> None:
    put(tmp_path, "acme", "eu--portal", "of acme")
    put(tmp_path, "acme--eu", "portal", "of acme--eu")
    refs = SecretRefs({FOLDER: str(tmp_path)})

    assert (await refs.get("acme", "eu--portal")).reveal() == "of acme"
    assert (await refs.get("acme--eu", "portal")).reveal() == "of acme--eu"


def test_no_two_secrets_share_a_variable() -> None:
    parts = ["".join(letters) for size in range(1, 5) for letters in itertools.product("a-_.", repeat=size)]
    pairs = list(itertools.product(parts, repeat=2))
    variables = [variable for tenant, name in pairs if (variable := variable_of(tenant, name))]

    assert variable_of("acme", "gdt-portal") == "SIGNALBOX_SECRET__ACME__GDT_PORTAL"
    assert variable_of("acme-", "portal") == "SIGNALBOX_SECRET__ACME___PORTAL"
    assert len(variables) > 100
    assert len(set(variables)) == len(variables)


@pytest.mark.parametrize("tenant", ["..", ".", "", "a/b", "acme/../acme"])
async def test_no_tenant_climbs_out_of_the_folder(tmp_path: Path, tenant: str) -> None:
    (tmp_path / "inner").mkdir()
    put(tmp_path, "acme", "gdt-portal", "s3cret")
    (tmp_path / "gdt-portal").write_text("s3cret")

    with pytest.raises(NotFound):
        await SecretRefs({FOLDER: str(tmp_path / "inner")}).get(tenant, "gdt-portal")


@pytest.mark.parametrize("name", ["../acme/x", "", "A", "a/b", "-a", "a" * 65])
async def test_a_name_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(InvalidInput):
        await SecretRefs({}).get("acme", name)


async def test_an_unreadable_secret_is_not_quoted(tmp_path: Path) -> None:
    (tmp_path / "acme").mkdir()
    (tmp_path / "acme" / "gdt-portal").write_bytes(b"s3cret \xff")

    with pytest.raises(Unavailable) as refused:
        await SecretRefs({FOLDER: str(tmp_path)}).get("acme", "gdt-portal")

    assert "s3cret" not in f"{refused.value} {refused.value.__cause__}"
