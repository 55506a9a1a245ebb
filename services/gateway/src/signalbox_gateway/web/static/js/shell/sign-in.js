// Sign in with an API key, which is sent to the gateway once and not stored.
import { api } from "../data/api.js";
import { problemNotice } from "../ui/announce.js";
import { div, h, replace, span } from "../ui/dom.js";

const STILL_OPEN = "You are signed out on this page, but the gateway has not confirmed it, and the session may still be open. "
  + "Sign in and sign out again when the gateway responds.";

/** problem: why the gateway has not ended the session, or null. */
export function signInPage({ done, problem = null }) {
  const page = new SignIn(done);
  if (problem) replace(page.problem, problemNotice({ message: `${problem.message} ${STILL_OPEN}` }));
  return { title: "Sign in", element: page.element };
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
    const brand = h("p", { class: "brand" }, h("span", { class: "brand-mark", "aria-hidden": "true" }), span("brand-name", "Signalbox"));
    const words = div("", h("h1", {}, "Sign in"), h("p", { class: "lead" }, "Follow runs and decide approvals."));
    this.element = div("sign-in", div("sign-in-form", brand, words, this.#form()));
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
