// Checks that a question is what its digest says, before a decision is sent with that digest. Loaded when a question is shown.

import { canonicalJson, hex, sha256 } from "./canonical-json.js";

const PREFIX = "jcs:";

const DIFFERS = "What is shown here is not the question that its digest is of, so nothing was sent. Reload the page and "
  + "decide again; if this message comes back, do not decide here, and report it to the operator of the gateway.";
const UNKNOWN = "This page cannot compute the digest of the question, so nothing was sent. Reload the page; "
  + "if this message comes back, the page needs a newer version of the Signalbox client.";

/** `code` is "digest_mismatch": nothing was sent. */
export class DigestMismatchError extends Error {
  constructor(message) {
    super(message);
    Object.assign(this, { name: "DigestMismatchError", code: "digest_mismatch", errors: [] });
  }
}

/** Whether this page can compute the digest: not one of an earlier version, nor without HTTPS or localhost. */
export const isCheckable = ({ digest }) => Boolean(digest?.startsWith(PREFIX) && globalThis.crypto?.subtle);

/** Whether the digest has a prefix other than this version's; digests of earlier versions have none. */
const isLater = ({ digest }) => Boolean(digest?.includes(":") && !digest.startsWith(PREFIX));

/**
 * Resolves with the digest of an approval that was shown, to send with the decision.
 *
 * Rejects with a DigestMismatchError if the digest is that of another question, or of a form of later versions. One that
 * cannot be checked here is returned as it is.
 */
export async function verifiedDigest(approval) {
  if (isLater(approval)) throw new DigestMismatchError(UNKNOWN);
  if (!isCheckable(approval)) return approval.digest;
  const computed = PREFIX + hex(await sha256(canonicalJson(contentOf(approval))));
  if (computed !== approval.digest) throw new DigestMismatchError(DIFFERS);
  return approval.digest;
}

/** What the digest covers; members that the question does not have are left out. */
function contentOf({ title, answer_schema: schema, options, evidence, about, proposal, policy, asked_policy: asked }) {
  const question = { title, answer_schema: schema };
  const optional = { about, proposal, policy: policyOf(asked ?? policy) };
  for (const [name, value] of Object.entries(optional)) if (value !== null && value !== undefined) question[name] = value;
  return { question, options, evidence };
}

/** The policy as it is recorded; null for the default, which the gateway shows without a quorum. */
function policyOf(shown) {
  if (!shown?.quorum?.length) return null;
  // The gateway leaves out members with their defaults; the recorded policy has all but the last.
  const { veto = [], exclude_starter: excludeStarter = false, people = [], require_signature: isSigned = false } = shown;
  const quorum = shown.quorum.map(({ needed, group = null }) => ({ needed, group }));
  return { quorum, veto, exclude_starter: excludeStarter, people, ...(isSigned && { require_signature: true }) };
}
