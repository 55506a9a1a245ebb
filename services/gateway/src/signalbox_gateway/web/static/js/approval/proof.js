// What proves an outcome: the digest of the question as it was shown, and the receipt of the ledger.
import { addressOf, api, receiptPath } from "../data/api.js";
import { toast } from "../ui/announce.js";
import { copyText } from "../ui/clipboard.js";
import { h } from "../ui/dom.js";
import { iconButton } from "../ui/icons.js";

const SHOWN_DIGITS = 16;

export function proofView(runId, { approval_id: approvalId, digest }) {
  const path = receiptPath(runId, approvalId);
  const file = h("a", { href: addressOf(path), download: "", hidden: true });
  const download = h("button", { type: "button", class: "button", onclick: () => save(path, file) }, "Download receipt");
  return h("div", { class: "proof" },
    h("span", { class: "hint" }, "Digest of the question ", h("code", { title: digest }, `${digest.slice(0, SHOWN_DIGITS)}…`)),
    iconButton("Copy digest", "copy", () => copyText(digest, "Digest")), download, file);
}

/** Reads the receipt first, so that a refusal is shown; the browser then saves its bytes unchanged. */
async function save(path, file) {
  try {
    await api.receipt(path);
    file.click();
  } catch (problem) { toast(problem.message, { kind: "error" }); }
}
