// The confirmation dialog and the picture viewer: native <dialog>, so focus is trapped and restored, and Escape closes.
// A dialog belongs to the page that opened it and has an address of its own: Back closes it, and so does any change
// of the page.
import { div, h, pictureElement, setText, uniqueId } from "./dom.js";
import { iconButton } from "./icons.js";
import { parsePlace, withDialog } from "./place.js";

let route = new AbortController();

/** Aborted when the page changes. Take it before waiting for anything that precedes a dialog. */
export const routeSignal = () => route.signal;

/** Closes the dialogs of the page that is left, as if they had been dismissed. */
export function leaveRoute() {
  route.abort();
  route = new AbortController();
}

/** Asks for confirmation. Resolves with {reason} when confirmed, otherwise with null. `name` is its address. */
export function confirm({ name, title, text, action, danger = false, reasonLabel = null, reasonRequired = false }) {
  const heading = uniqueId("dialog");
  const reason = reasonLabel ? h("textarea", { id: `${heading}-reason`, rows: 3, maxlength: 500, required: reasonRequired }) : null;
  const dialog = h(
    "dialog", { class: "dialog", "aria-labelledby": heading },
    h("form", { method: "dialog" },
      h("h2", { id: heading }, title),
      h("p", {}, text),
      reason ? div("field", h("label", { for: reason.id }, reasonLabel), reason) : null,
      div("dialog-actions",
        h("button", { class: "button", value: "no", formnovalidate: true }, "Go back"),
        h("button", { class: danger ? "button danger" : "button primary", value: "yes" }, action))),
  );
  const outcome = () => (dialog.returnValue === "yes" ? { reason: reason?.value.trim() || null } : null);
  return shown(dialog, outcome, { name });
}

/** Asks for a short text. Resolves with it, or with null. `name` is the dialog's address. */
export function ask({ name, title, text, label, action, max = 60 }) {
  const heading = uniqueId("dialog");
  const field = h("input", { type: "text", id: `${heading}-text`, maxlength: max, required: true, autocomplete: "off" });
  const close = h("button", { class: "button", type: "button", onclick: () => dialog.close("") }, "Go back");
  const dialog = h("dialog", { class: "dialog", "aria-labelledby": heading },
    h("form", { method: "dialog" },
      h("h2", { id: heading }, title), h("p", {}, text), div("field", h("label", { for: field.id }, label), field),
      div("dialog-actions", close, h("button", { class: "button primary", value: "yes" }, action))));
  return shown(dialog, () => (dialog.returnValue === "yes" ? field.value.trim() : null), { name });
}

/** Shows pictures ({path, alt, caption}) at full size; arrow keys or buttons move, Escape closes. */
export function showPictures(pictures, start = 0) {
  return shown(new Viewer(pictures, start).dialog, () => null, { name: "pictures" });
}

class Viewer {
  constructor(pictures, start) {
    Object.assign(this, { pictures, at: start });
    this.image = pictureElement({ class: "viewer-image" });
    this.caption = h("p", { class: "viewer-caption", "aria-live": "polite" });
    this.dialog = h("dialog", { class: "viewer", "aria-label": "Picture viewer", onkeydown: (event) => this.#key(event) });
    this.dialog.addEventListener("click", (event) => { if (event.target === this.dialog) this.dialog.close(); });
    this.dialog.append(
      div("viewer-bar", this.caption, iconButton("Close", "cancel", () => this.dialog.close())),
      div("viewer-stage", this.#mover("Previous picture", "left", -1), this.image, this.#mover("Next picture", "right", 1)));
    this.#move(0);
  }

  #mover(label, name, by) {
    return this.pictures.length > 1 ? iconButton(label, name, () => this.#move(by)) : "";
  }

  #key(event) {
    if (event.key === "ArrowLeft") this.#move(-1);
    if (event.key === "ArrowRight") this.#move(1);
  }

  #move(by) {
    const count = this.pictures.length;
    this.at = (this.at + by + count) % count;
    const { path, alt, caption } = this.pictures[this.at];
    this.image.setAttribute("src", path);
    this.image.setAttribute("alt", alt);
    setText(this.caption, count > 1 ? `${caption} · ${this.at + 1} of ${count}` : caption);
  }
}

/**
 * Opens a modal dialog at `?dialog=name` of the page's address, with a history entry of its own, so that Back closes it.
 * At an address that contains the dialog already, as after a reload, there is no further entry.
 *
 * Resolves with `outcome()` when it is closed, and restores the focus; with null when the page had changed before.
 */
export function shown(dialog, outcome, { name, signal = routeSignal() }) {
  if (signal.aborted) return Promise.resolve(null);
  const before = document.activeElement;
  const entry = uniqueId("dialog");
  const dismiss = () => dialog.close("");
  const isThere = parsePlace().dialog === name;
  document.body.append(dialog);
  dialog.showModal();
  if (!isThere) history.pushState({ dialog: entry }, "", withDialog(name));
  window.addEventListener("popstate", dismiss);
  signal.addEventListener("abort", dismiss);
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      window.removeEventListener("popstate", dismiss);
      signal.removeEventListener("abort", dismiss);
      dialog.remove();
      if (history.state?.dialog === entry) history.back();
      else if (isThere && !signal.aborted && parsePlace().dialog === name) forgetDialog();
      if (before instanceof HTMLElement && before.isConnected) before.focus();
      resolve(signal.aborted ? null : outcome());
    }, { once: true });
  });
}

/** Removes a dialog from the page's address, for example one that the page cannot open. */
export function forgetDialog() {
  history.replaceState(history.state, "", withDialog(null));
}
