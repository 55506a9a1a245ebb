// The address of the page: path and query in the fragment, and the dialog that is open in its query.

/** {path, query, dialog} of a fragment such as `#/runs/a?tab=events&dialog=cancel`. */
export function parsePlace(hash = location.hash) {
  const [path, text = ""] = hash.replace(/^#/, "").split("?");
  const query = new URLSearchParams(text);
  const dialog = query.get("dialog");
  query.delete("dialog");
  return { path, query, dialog };
}

/** The current fragment with another dialog, or with none. */
export function withDialog(name) {
  const { path, query } = parsePlace();
  if (name) query.set("dialog", name);
  const text = String(query);
  return `#${path}${text ? `?${text}` : ""}`;
}

/** A function that goes to an address, unless the user has gone elsewhere since: a response may be late. */
export function fromHere() {
  const here = location.hash;
  return (address) => { if (location.hash === here) location.hash = address; };
}

/** The event after `replaceAddress`, for which browsers have none. */
export const REPLACED = "signalbox-place-replaced";

/** Writes another address, without a new entry in the history: the page shows already what it names. */
export function replaceAddress(hash) {
  history.replaceState(history.state, "", hash);
  dispatchEvent(new Event(REPLACED));
}

/** As `replaceAddress`, with another query. */
export function replaceQuery(query) {
  const text = String(new URLSearchParams(Object.entries(query).filter(([, value]) => value)));
  replaceAddress(`#${parsePlace().path}${text ? `?${text}` : ""}`);
}
