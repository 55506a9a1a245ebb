// Passkeys (WebAuthn): creates them, and signs decisions with them. Loaded when it is needed.

import { canonicalJson, hex, sha256 } from "../questions/canonical-json.js";

export { canonicalJson };

/** `code` is "passkey_missing", "passkey_unsupported" or "passkey_not_used". */
export class PasskeyError extends Error {
  constructor(code, message) {
    super(message);
    Object.assign(this, { name: "PasskeyError", code, errors: [] });
  }
}

/** Creates a passkey with the answer of POST /v1/passkeys/options; returns what POST /v1/passkeys takes. */
export async function createPasskey(options) {
  const { rawId, response } = await ceremony("create", {
    challenge: decode(options.challenge),
    rp: { id: options.rp_id, name: options.rp_name },
    user: { id: decode(options.user_id), name: options.user_name, displayName: options.user_name },
    pubKeyCredParams: options.algorithms.map((alg) => ({ type: "public-key", alg })),
    excludeCredentials: options.exclude.map(descriptor),
    authenticatorSelection: { residentKey: "preferred", userVerification: "required" },
    attestation: "none",
  });
  return {
    credential_id: encode(rawId), client_data: encode(response.clientDataJSON),
    attestation_object: encode(response.attestationObject),
  };
}

/**
 * Signs a decision with one of the caller's passkeys; returns its `signature`.
 *
 * listing: the answer of GET /v1/passkeys. vote: {runId, approvalId, digest, decisionId, answer, note, objection};
 * the answer of an objection is null, and its note the reason.
 */
export async function signDecision(listing, vote) {
  const own = listing.passkeys.filter((passkey) => !passkey.revoked_at);
  if (!own.length) {
    throw new PasskeyError("passkey_missing", "You have no passkey yet. Register one in the console, then decide again.");
  }
  const { rawId, response } = await ceremony("get", {
    challenge: await sha256(canonicalJson(await statementOf(listing, vote))),
    rpId: listing.rp_id,
    allowCredentials: own.map((passkey) => descriptor(passkey.id)),
    userVerification: "required",
  });
  return {
    credential_id: encode(rawId), authenticator_data: encode(response.authenticatorData),
    client_data: encode(response.clientDataJSON), signature: encode(response.signature),
  };
}

/** What is signed: the SHA-256 of its canonical JSON is the challenge. */
async function statementOf({ tenant, subject }, { runId, approvalId, digest, decisionId, answer, note, objection }) {
  return {
    type: "signalbox.decision.v1", tenant, subject, run_id: runId, approval_id: approvalId,
    question_digest: digest, decision_id: decisionId, objection: Boolean(objection),
    answer_sha256: hex(await sha256(canonicalJson(answer))),
    note_sha256: hex(await sha256(canonicalJson(note ?? null))),
  };
}

async function ceremony(verb, publicKey) {
  if (!globalThis.PublicKeyCredential || !navigator.credentials) {
    throw new PasskeyError("passkey_unsupported", "This browser or this address does not support passkeys. They need HTTPS, or localhost.");
  }
  try {
    return await navigator.credentials[verb]({ publicKey });
  } catch (error) {
    throw new PasskeyError("passkey_not_used", messageOf(error));
  }
}

function messageOf({ name, message }) {
  if (name === "InvalidStateError") return "This device has a passkey of yours already.";
  if (name === "NotAllowedError") return "The passkey was not used: the request was dismissed or timed out. Try again.";
  return `The passkey cannot be used here: ${message}`;
}

const descriptor = (id) => ({ type: "public-key", id: decode(id) });

const encode = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer)))
  .replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");

const decode = (text) => Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (sign) => sign.charCodeAt(0));
