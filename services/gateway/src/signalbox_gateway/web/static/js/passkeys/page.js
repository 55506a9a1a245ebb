// The caller's passkeys: register one on this device, see when each was registered, revoke it.
import { api } from "../data/api.js";
import { webauthn } from "../approval/signing.js";
import { problemNotice, toast } from "../ui/announce.js";
import { ask, confirm } from "../ui/dialog.js";
import { div, h, replace } from "../ui/dom.js";
import { full } from "../ui/format.js";

const LEAD = "A passkey signs your decisions where a question requires it. It stays on your device or in your "
  + "password manager, and is unlocked by your fingerprint, face or PIN.";

export async function passkeysPage() {
  const page = new PasskeysPage();
  await page.load();
  return { title: "Passkeys", element: page.element };
}

class PasskeysPage {
  constructor() {
    this.problem = div("");
    this.list = div("");
    this.add = h("button", { type: "button", class: "button primary", onclick: () => this.#register() }, "Add a passkey");
    this.element = div("page narrow",
      div("page-head", h("h1", {}, "Passkeys"), this.add), h("p", { class: "lead" }, LEAD), this.problem, this.list);
  }

  async load() {
    try {
      const { passkeys } = await api.passkeys();
      replace(this.list, passkeys.length
        ? h("ul", { class: "rows", "aria-label": "Passkeys" }, passkeys.map((passkey) => this.#row(passkey)))
        : h("p", { class: "hint" }, "You have no passkey yet."));
    } catch (problem) {
      if (problem.code !== "passkeys_disabled") throw problem;
      this.add.hidden = true;
      replace(this.list, problemNotice(problem));
    }
  }

  #row(passkey) {
    const facts = [`Added ${full(passkey.created_at)}`, passkey.is_backed_up ? "synchronized between devices" : "on one device only",
      passkey.revoked_at ? `revoked ${full(passkey.revoked_at)} by ${passkey.revoked_by}` : null];
    return h("li", { class: "panel" },
      div("panel-head", h("h2", {}, passkey.name), passkey.revoked_at ? null
        : h("button", { type: "button", class: "button danger-quiet", onclick: () => this.#revoke(passkey), "aria-label": `Revoke ${passkey.name}` }, "Revoke")),
      h("p", { class: "hint" }, facts.filter(Boolean).join(" · ")));
  }

  async #register() {
    const name = await ask({
      name: "passkey", title: "Add a passkey", text: "Your browser asks for your fingerprint, face or PIN next.",
      label: "Name, for example this device", action: "Continue",
    });
    if (!name) return;
    await this.#change(async () => {
      const [{ createPasskey }, { body: options }] = await Promise.all([webauthn(), api.passkeyOptions()]);
      await api.registerPasskey({ name, ...(await createPasskey(options)) });
      toast("Passkey added.", { kind: "good" });
    });
  }

  async #revoke(passkey) {
    const text = "It can no longer sign decisions. Decisions that it has signed stay valid. This cannot be undone.";
    const isSure = await confirm({ name: "revoke", title: `Revoke “${passkey.name}”?`, text, action: "Revoke", danger: true });
    if (!isSure) return;
    await this.#change(async () => {
      await api.revokePasskey(passkey.id);
      toast("Passkey revoked.");
    });
  }

  async #change(action) {
    replace(this.problem);
    this.add.disabled = true;
    try {
      await action();
      await this.load();
    } catch (problem) {
      replace(this.problem, problemNotice(problem));
    } finally { this.add.disabled = false; }
  }
}
