"""Passkeys with Chromium's virtual authenticator: register, decide, verify the receipt, and refusals."""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import httpx2
import pytest
from playwright.sync_api import Browser, Page, expect

from support.assertions.wait_until import wait_until
from support.drivers.browser import WatchedPage
from support.drivers.console import asked, cards, faults_of
from support.drivers.virtual_authenticator import VirtualAuthenticator
from support.servers.stack import RunningStack, running_stack

PROGRAMS = Path(sys.executable).parent
MS = 60_000
SHOW_ELEMENT = """async (runId) => {
  await import("/client/elements/index.js");
  const element = document.createElement("signalbox-approval");
  element.setAttribute("run-id", runId);
  element.setAttribute("approval-id", "variants");
  document.body.replaceChildren(element);
}"""
# Signs `vote` with a passkey as the console does, and sends it; `change` edits the signed statement's parts.
SEND = """async ([vote, change, verification]) => {
  const { signDecision } = await import("/client/passkeys/webauthn.js");
  const listing = await (await fetch("/v1/passkeys")).json();
  const get = navigator.credentials.get;
  navigator.credentials.get = (options) => {
    options.publicKey.userVerification = verification;
    return get.call(navigator.credentials, options);
  };
  const path = `/v1/runs/${vote.runId}/approvals/variants/decision`;
  try {
    const passkeys = listing.passkeys.map((passkey) => ({ ...passkey, revoked_at: null }));
    const signed = { ...vote, ...change };
    const signature = change.signature ?? await signDecision({ ...listing, passkeys }, signed);
    const body = { answer: vote.answer, digest: vote.digest, decision_id: vote.decisionId, signature };
    const headers = { "Content-Type": "application/json" };
    const response = await fetch(path, { method: "POST", headers, body: JSON.stringify(body) });
    const reply = await response.json();
    return { status: response.status, code: reply.code ?? reply.status, signature };
  } finally { navigator.credentials.get = get; }
}"""


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    folder = tmp_path_factory.mktemp("stack")
    with running_stack(folder, "--only", "gateway,receiver,worker,demo_site") as stack:
        yield stack


def origin_of(stack: RunningStack) -> str:
    """The gateway at a name: browsers accept no IP address as the domain of a passkey."""
    return str(stack.endpoints.gateway).rstrip("/").replace("127.0.0.1", "localhost")


def api(stack: RunningStack) -> httpx2.Client:
    key = stack.endpoints.api_keys["admin"]
    return httpx2.Client(
        base_url=str(stack.endpoints.gateway),
        headers={"authorization": f"Bearer {key}"},
        trust_env=False,
        timeout=60,
    )


def sign_in(page: Page, stack: RunningStack, role: str = "admin") -> None:
    page.goto(f"{origin_of(stack)}/")
    page.get_by_label("API key").fill(stack.endpoints.api_keys[role])
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("heading", name="Runs", exact=True).wait_for(timeout=MS)


def register(page: Page, name: str) -> None:
    page.goto(f"{page.url.partition('#')[0]}#/passkeys")
    page.get_by_role("button", name="Add a passkey").click()
    page.get_by_label("Name, for example this device").fill(name)
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_role("heading", name=name)).to_be_visible(timeout=MS)


def signed_run(stack: RunningStack) -> str:
    """Start a run whose decisions are signed, and wait for its question."""
    address = f"{stack.endpoints.demo_site}/en/coffee"
    sent = {"url": address, "variants": 1, "sizes": ["300x250"], "signed": True}
    with api(stack) as caller:
        reply = caller.post("/v1/runs", json={"pipeline": "ad_creative", "input": sent})
        assert reply.status_code == 201, reply.text
        run_id = str(reply.json()["run_id"])
        wait_until(lambda: bool(caller.get(f"/v1/runs/{run_id}").json()["approvals"]), within_s=90)
    return run_id


def vote_on(stack: RunningStack, run_id: str, decision_id: str) -> Mapping[str, object]:
    with api(stack) as caller:
        approval = caller.get(f"/v1/runs/{run_id}/approvals/variants").json()
    return {
        "runId": run_id,
        "approvalId": "variants",
        "digest": approval["digest"],
        "decisionId": decision_id,
        "answer": {"decisions": [{"variant": "variant-1", "action": "approve"}]},
    }


def send(
    page: Page, vote: Mapping[str, object], *, verification: str = "required", **change: object
) -> Mapping[str, object]:
    found: Mapping[str, object] = page.evaluate(SEND, [vote, change, verification])
    return found


def outcome(found: Mapping[str, object]) -> tuple[object, object]:
    return found["status"], found["code"]


def test_a_decision_is_signed_in_one_gesture_and_its_receipt_verifies_offline(
    watched: WatchedPage, stack: RunningStack, tmp_path: Path
) -> None:
    page = watched.page
    sign_in(page, stack)
    VirtualAuthenticator(page)
    register(page, "Laptop")
    run_id = signed_run(stack)
    page.goto(f"{origin_of(stack)}/#/runs/{run_id}")
    panel = asked(page)
    expect(panel).to_contain_text("Every decision is signed with a passkey.")
    cards(panel).get_by_role("radio", name="Approve").check()
    panel.get_by_role("button", name="Sign and send").click()
    expect(page.get_by_text("Decision accepted.").first).to_be_visible(timeout=MS)

    receipt = tmp_path / "receipt.json"
    with api(stack) as caller:
        path = f"/v1/runs/{run_id}/approvals/variants/receipt"
        wait_until(lambda: caller.get(path).status_code == 200, within_s=90)
        receipt.write_bytes(caller.get(path).content)
    public_key = str(stack.folder / "keys/ledger.pub")
    verify = [PROGRAMS / "signalbox-admin", "audit", "verify", receipt, "--public-key", public_key]
    verified = subprocess.run(verify, capture_output=True, text=True, timeout=90, check=False)
    assert verified.returncode == 0, verified.stderr
    assert "signed by key:" in verified.stdout

    text = receipt.read_text()
    for before, after in (
        ("authenticator_data", "authenticator_dat"),
        ('"objection":false', '"objection":true'),
    ):
        assert before in text
        receipt.write_text(text.replace(before, after, 1))
        changed = subprocess.run(verify, capture_output=True, text=True, timeout=90, check=False)
        assert changed.returncode != 0


def test_the_element_signs_in_one_gesture(watched: WatchedPage, stack: RunningStack) -> None:
    page = watched.page
    sign_in(page, stack)
    VirtualAuthenticator(page)
    register(page, "Element")
    page.evaluate(SHOW_ELEMENT, signed_run(stack))
    element = page.locator("signalbox-approval")
    decisions = [{"variant": "variant-1", "action": "approve"}]
    element.get_by_role("textbox").fill(json.dumps(decisions), timeout=MS)
    element.get_by_role("button", name="Send decision").click()
    expect(element.get_by_text("Decision accepted.").first).to_be_visible(timeout=MS)


def test_wrong_signatures_are_refused_by_name(
    watched: WatchedPage, browser: Browser, stack: RunningStack
) -> None:
    page = watched.page
    watched.expected = ("the server responded with a status of 403",)
    sign_in(page, stack)
    device = VirtualAuthenticator(page)
    register(page, "Refused")
    run_id = signed_run(stack)
    vote = vote_on(stack, run_id, "d-1")
    with browser.new_context() as other_context:
        other = other_context.new_page()
        sign_in(other, stack, "approver")
        VirtualAuthenticator(other)
        register(other, "Another person's")
        # Signs the decision d-1 with another person's passkey; sent as d-0, it is refused.
        foreign = send(other, {**vote, "decisionId": "d-0"}, decisionId="d-1")["signature"]

    found = {
        "wrong challenge": outcome(send(page, vote, answer={"decisions": []})),
        "other person's key": outcome(send(page, vote, signature=foreign)),
    }
    device.verify_user(False)
    found["no user verification"] = outcome(send(page, vote, verification="discouraged"))
    device.verify_user(True)
    assert found == {
        "wrong challenge": (403, "signature_mismatch"),
        "other person's key": (403, "passkey_of_another"),
        "no user verification": (403, "user_not_verified"),
    }

    accepted = send(page, vote)
    assert outcome(accepted) == (200, "accepted")
    later = vote_on(stack, signed_run(stack), "d-3")
    replayed = outcome(send(page, later, signature=accepted["signature"]))
    device.set_counter(1)
    cloned = outcome(send(page, later))
    device.set_counter(100)
    page.goto(f"{origin_of(stack)}/#/passkeys")
    page.get_by_role("button", name="Revoke Refused").click()
    page.get_by_role("button", name="Revoke", exact=True).click()
    expect(page.get_by_text("Passkey revoked.").first).to_be_visible(timeout=MS)
    revoked = outcome(send(page, later))
    assert (replayed, cloned, revoked) == (
        (403, "signature_replayed"),
        (403, "passkey_cloned"),
        (403, "passkey_revoked"),
    )


def test_without_a_passkey_the_panel_says_where_to_register_one(
    watched: WatchedPage, stack: RunningStack
) -> None:
    page = watched.page
    sign_in(page, stack, "approver")
    with api(stack) as caller:
        subject = page.evaluate("async () => (await (await fetch('/v1/sessions')).json()).subject.subject")
        for passkey in caller.get("/v1/passkeys", params={"subject": subject}).json()["passkeys"]:
            caller.delete(f"/v1/passkeys/{passkey['id']}")
    page.goto(f"{origin_of(stack)}/#/runs/{signed_run(stack)}")
    panel = asked(page)
    cards(panel).get_by_role("radio", name="Approve").check()
    panel.get_by_role("button", name="Sign and send").click()
    expect(panel.get_by_role("alert")).to_contain_text("You have no passkey yet")
    panel.get_by_role("link", name="Your passkeys").click()
    expect(page.get_by_role("heading", name="Passkeys", exact=True)).to_be_visible(timeout=MS)
    expect(page.get_by_role("button", name="Add a passkey")).to_be_enabled()
    assert faults_of(page, watched, "passkeys") == []
