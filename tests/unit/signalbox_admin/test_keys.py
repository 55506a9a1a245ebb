"""`signalbox-admin keys`: the files it writes, its output, its errors."""

import argparse
import hashlib
import json
import stat
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from signalbox_admin.keys import add_parser
from signalbox_core.errors import Conflict, InvalidInput, NotFound
from signalbox_core.signatures import (
    Algorithm,
    JwksSource,
    Signer,
    load_key_set,
    read_key_file,
    write_key_file,
)
from support.drivers.signed_requests import new_private_key, private_pem, public_pem

Run = Callable[..., str]


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run one `keys` command in an empty folder and return its output."""
    monkeypatch.chdir(tmp_path)
    parser = argparse.ArgumentParser()
    add_parser(parser.add_subparsers())

    def run(*words: str) -> str:
        args = parser.parse_args(["keys", *words])
        assert args.run(args) == 0
        return capsys.readouterr().out

    return run


NEW_SENDER = (
    "new",
    "--file",
    "keys.json",
    "--sender",
    "billing",
    "--tenant",
    "acme",
    "--events",
    "run.*,invoice.*",
)
NEW_API = (
    "new",
    "--kind",
    "api",
    "--file",
    "api.json",
    "--tenant",
    "acme",
    "--roles",
    "viewer,approver",
    "--name",
    "Lan",
)


def test_a_new_sender_key_signs_and_its_private_key_stays_in_its_file(run: Run, tmp_path: Path) -> None:
    output = run(*NEW_SENDER, "--keyid", "k1", "--private", "k1.pem")
    [record] = read_key_file(tmp_path / "keys.json").keys
    assert (record.keyid, record.sender, record.tenant, record.events) == (
        "k1",
        "billing",
        "acme",
        ("run.*", "invoice.*"),
    )
    assert stat.S_IMODE((tmp_path / "k1.pem").stat().st_mode) == 0o600
    assert Signer.from_file("k1", tmp_path / "k1.pem").algorithm is Algorithm.ED25519
    assert len(load_key_set([record], tmp_path)) == 1
    assert "PRIVATE" not in output + (tmp_path / "keys.json").read_text()


def test_a_keyid_is_generated_by_default(run: Run, tmp_path: Path) -> None:
    run(*NEW_SENDER, "--private", "a.pem")
    run(*NEW_SENDER, "--private", "b.pem")
    keyids = {record.keyid for record in read_key_file(tmp_path / "keys.json").keys}
    assert len(keyids) == 2
    assert all(keyid.startswith("billing-") for keyid in keyids)


def test_a_private_key_file_is_never_overwritten(run: Run, tmp_path: Path) -> None:
    (tmp_path / "k1.pem").write_text("precious")
    with pytest.raises(Conflict, match=r"k1\.pem exists"):
        run(*NEW_SENDER, "--private", "k1.pem")
    assert (tmp_path / "k1.pem").read_text() == "precious"


def test_a_keyid_is_unique(run: Run, tmp_path: Path) -> None:
    run(*NEW_SENDER, "--keyid", "k1", "--private", "a.pem")
    with pytest.raises(Conflict, match="already has a key k1"):
        run(*NEW_SENDER, "--keyid", "k1", "--private", "b.pem")
    assert not (tmp_path / "b.pem").exists()


@pytest.mark.parametrize("algorithm", [Algorithm.ED25519, Algorithm.ECDSA_P256, Algorithm.RSA_PSS])
def test_a_public_key_is_imported(run: Run, tmp_path: Path, algorithm: Algorithm) -> None:
    (tmp_path / "p.pem").write_text(public_pem(new_private_key(algorithm)))
    grant = ("--keyid", "k1", "--alg", algorithm.value, "--sender", "s", "--tenant", "*", "--public", "p.pem")
    run("import", "--file", "keys.json", *grant)
    assert read_key_file(tmp_path / "keys.json").keys[0].alg is algorithm


def test_an_hmac_secret_is_imported_as_a_reference(run: Run, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("s" * 40)
    run(
        "import",
        "--file",
        "keys.json",
        "--keyid",
        "k1",
        "--alg",
        "hmac-sha256",
        "--sender",
        "s",
        "--tenant",
        "*",
        "--secret",
        "secret",
    )
    assert read_key_file(tmp_path / "keys.json").keys[0].secret_file == str(tmp_path / "secret")
    assert "ssss" not in (tmp_path / "keys.json").read_text()


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("nonsense", "not a public key"),
        (private_pem(new_private_key(Algorithm.ED25519)).decode(), "private key"),
    ],
)
def test_a_bad_key_is_not_imported(run: Run, tmp_path: Path, body: str, message: str) -> None:
    (tmp_path / "p.pem").write_text(body)
    with pytest.raises(InvalidInput, match=message):
        run(
            "import",
            "--file",
            "keys.json",
            "--keyid",
            "k1",
            "--sender",
            "s",
            "--tenant",
            "*",
            "--public",
            "p.pem",
        )
    assert not (tmp_path / "keys.json").exists()


def test_a_rotation_keeps_both_keys_valid_for_the_overlap(run: Run, tmp_path: Path) -> None:
    run(*NEW_SENDER, "--keyid", "k1", "--private", "k1.pem")
    run(
        "rotate",
        "--file",
        "keys.json",
        "--keyid",
        "k1",
        "--new-keyid",
        "k2",
        "--private",
        "k2.pem",
        "--overlap-hours",
        "48",
    )
    old, new = read_key_file(tmp_path / "keys.json").keys
    assert (new.keyid, new.sender, new.events, new.not_after) == ("k2", old.sender, old.events, None)
    assert old.not_after is not None
    assert 47 < (old.not_after.timestamp() - (tmp_path / "k2.pem").stat().st_mtime) / 3600 <= 48


def test_a_revoked_key_stays_in_the_file_as_revoked(run: Run, tmp_path: Path) -> None:
    run(*NEW_SENDER, "--keyid", "k1", "--private", "k1.pem")
    run("revoke", "--file", "keys.json", "--keyid", "k1")
    assert read_key_file(tmp_path / "keys.json").keys[0].state == "revoked"
    assert "revoked" in run("list", "--file", "keys.json")


def test_an_api_key_is_printed_once_and_stored_as_a_hash(run: Run, tmp_path: Path) -> None:
    key = run(*NEW_API).splitlines()[-1]
    [record] = json.loads((tmp_path / "api.json").read_text())["keys"]
    assert key.startswith("sbx_")
    assert record["sha256"] == hashlib.sha256(key.encode()).hexdigest()
    assert (record["tenant"], record["roles"], record["name"]) == ("acme", ["approver", "viewer"], "Lan")
    assert key not in run("list", "--kind", "api", "--file", "api.json")


def test_an_api_key_is_rotated_and_revoked(run: Run, tmp_path: Path) -> None:
    run(*NEW_API)
    [old] = json.loads((tmp_path / "api.json").read_text())["keys"]
    run(
        "rotate",
        "--kind",
        "api",
        "--file",
        "api.json",
        "--keyid",
        old["id"],
        "--overlap-hours",
        "2",
        "--expires-in-days",
        "90",
    )
    until, expires = (
        datetime.fromisoformat(key["expires_at"])
        for key in json.loads((tmp_path / "api.json").read_text())["keys"]
    )
    assert timedelta(hours=1.9) < until - datetime.now(UTC) <= timedelta(hours=2)
    assert timedelta(days=89.9) < expires - datetime.now(UTC) <= timedelta(days=90)
    run("revoke", "--kind", "api", "--file", "api.json", "--keyid", old["id"])
    [new] = json.loads((tmp_path / "api.json").read_text())["keys"]
    assert new["id"] != old["id"]
    assert {name: new[name] for name in ("tenant", "roles", "name")} == {
        name: old[name] for name in ("tenant", "roles", "name")
    }


def test_an_existing_api_key_is_imported(run: Run, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("sbx_" + "k" * 40 + "\n")
    run(
        "import",
        "--kind",
        "api",
        "--file",
        "api.json",
        "--tenant",
        "acme",
        "--roles",
        "admin",
        "--name",
        "CI",
        "--secret",
        "key",
    )
    [record] = json.loads((tmp_path / "api.json").read_text())["keys"]
    assert record["sha256"] == hashlib.sha256(b"sbx_" + b"k" * 40).hexdigest()


def test_the_list_is_json_on_request(run: Run) -> None:
    run(*NEW_API)
    assert (
        json.loads(run("list", "--kind", "api", "--file", "api.json", "--json"))["keys"][0]["name"] == "Lan"
    )


@pytest.mark.parametrize(
    ("words", "error", "message"),
    [
        (
            ("new", "--tenant", "acme", "--sender", "s", "--private", "x"),
            InvalidInput,
            "SIGNALBOX_RECEIVER_KEYS",
        ),
        (
            ("new", "--tenant", "acme", "--file", "k.json", "--private", "x"),
            InvalidInput,
            "--sender is required",
        ),
        (
            ("new", "--tenant", "acme", "--file", "k.json", "--sender", "s"),
            InvalidInput,
            "--private is required",
        ),
        (
            ("new", "--kind", "api", "--tenant", "a", "--file", "k.json", "--roles", "king", "--name", "n"),
            InvalidInput,
            "--roles",
        ),
        (
            ("new", "--kind", "api", "--tenant", "a", "--file", "k.json", "--roles", "viewer"),
            InvalidInput,
            "--name is required",
        ),
        (("revoke", "--file", "k.json", "--keyid", "nobody"), NotFound, "no key nobody"),
        (("revoke", "--kind", "api", "--file", "k.json", "--keyid", "nobody"), NotFound, "no API key nobody"),
        (("rotate", "--file", "k.json", "--keyid", "nobody", "--private", "x"), NotFound, "no key nobody"),
    ],
)
def test_an_error_names_the_cause(
    run: Run, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], error: type[Exception], message: str
) -> None:
    monkeypatch.delenv("SIGNALBOX_RECEIVER_KEYS", raising=False)
    with pytest.raises(error, match=message):
        run(*words)


def test_changing_keys_keeps_the_jwks_sources(run: Run, tmp_path: Path) -> None:
    source = JwksSource(url="https://partner.example.com/jwks", sender="partner", tenant="acme")
    write_key_file(tmp_path / "keys.json", [], [source])
    run(*NEW_SENDER, "--keyid", "k1", "--private", "k1.pem")
    run("revoke", "--file", "keys.json", "--keyid", "k1")
    assert read_key_file(tmp_path / "keys.json").jwks == (source,)


def test_a_key_file_is_created_private_and_keeps_its_mode(run: Run, tmp_path: Path) -> None:
    def mode(name: str) -> int:
        return stat.S_IMODE((tmp_path / name).stat().st_mode)

    run(*NEW_API)
    run(*NEW_SENDER, "--keyid", "k1", "--private", "k1.pem")
    assert (mode("api.json"), mode("keys.json")) == (0o600, 0o600)

    (tmp_path / "api.json").chmod(0o640)
    run(*NEW_API)
    run(*NEW_SENDER, "--keyid", "k2", "--private", "k2.pem")
    assert (mode("api.json"), mode("keys.json")) == (0o640, 0o600)


def new_key(run: Run, *options: str) -> dict[str, object]:
    run("new", "--file", "api.json", "--tenant", "acme", "--roles", "operator", "--name", "n", *options)
    listed = json.loads(run("list", "--kind", "api", "--file", "api.json", "--json"))["keys"]
    return dict(listed[-1])


def test_a_key_has_the_kind_and_the_groups_of_its_user(run: Run) -> None:
    agent = new_key(run, "--kind", "agent", "--group", "drafts", "--group", "ads", "--group", "ads")
    service, human = new_key(run, "--kind", "service"), new_key(run, "--kind", "human")
    plain = new_key(run, "--kind", "api")

    assert (agent["kind"], agent["groups"]) == ("agent", ["drafts", "ads"])
    assert service["kind"] == "service"
    assert "kind" not in human  # the default
    assert "kind" not in plain
    text = run("list", "--kind", "api", "--file", "api.json")
    assert "n  agent  groups drafts,ads" in text


def test_the_successor_of_a_key_is_the_same_subject(run: Run) -> None:
    old = new_key(run, "--kind", "service", "--group", "ads")
    for _ in range(2):
        listed = json.loads(run("list", "--kind", "api", "--file", "api.json", "--json"))["keys"]
        run("rotate", "--kind", "api", "--file", "api.json", "--keyid", listed[-1]["id"])

    keys = json.loads(run("list", "--kind", "api", "--file", "api.json", "--json"))["keys"]
    assert len({key["id"] for key in keys}) == 3
    assert [key.get("subject", f"key:{key['id']}") for key in keys] == [f"key:{old['id']}"] * 3
    assert [(key["kind"], key["groups"]) for key in keys] == [("service", ["ads"])] * 3


def test_a_group_without_a_name_is_refused(run: Run) -> None:
    with pytest.raises(InvalidInput, match="--group"):
        new_key(run, "--kind", "api", "--group", "")
