// Sign in with an API key, which is sent to the gateway once and not stored.
import { api } from "../api.js";
import { problemNotice } from "../announce.js";
import { div, h, replace, span } from "../dom.js";

export function signInPage({ done }) {
  return { title: "Sign in", element: new SignIn(done).element };
}

class SignIn {
  constructor(done) {
    this.done = done;
    this.key = h("input", {
      id: "api-key", type: "password", autocomplete: "current-password", required: true, spellcheck: "false",
      "aria-describedby": "api-key-hint", "data-focus": "",
    });
    this.problem = h("div", {});
    this.button = h("button", { type: "submit", class: "button primary" }, "Sign in");
    this.element = div("page sign-in",
      h("div", { class: "sign-in-mast", "aria-hidden": "true" }, span("mast-head", h("i"), h("i"), h("i"))),
      div("sign-in-form",
        h("h1", {}, "Sign in"), h("p", { class: "lead" }, "Follow runs and decide approvals."), this.#form()));
  }

  #form() {
    // Password managers need a user name to store a key under.
    const name = h("input", { type: "text", autocomplete: "username", value: "signalbox", hidden: true, "aria-hidden": "true" });
    const hint = h("p", { class: "hint", id: "api-key-hint" },
      "It starts with ", h("code", {}, "sbx_"), ". It is sent once and not stored in this browser.");
    return h("form", { onsubmit: (event) => { event.preventDefault(); this.#submit(); }, novalidate: true },
      name, this.problem, div("field", h("label", { for: "api-key" }, "API key"), hint, this.key), this.button);
  }

  async #submit() {
    const key = this.key.value.trim();
    if (!key) { this.key.focus(); return; }
    this.button.disabled = true;
    replace(this.problem);
    try {
      const { body } = await api.signIn(key);
      this.key.value = "";
      this.done(body ?? {});
    } catch (error) {
      replace(this.problem, problemNotice(error));
      this.key.select();
      this.key.focus();
    } finally { this.button.disabled = false; }
  }
}
