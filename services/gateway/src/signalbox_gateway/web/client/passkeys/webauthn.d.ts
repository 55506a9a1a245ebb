import { DecisionSignature, Passkeys } from "../signalbox.js";

export class PasskeyError extends Error {
  readonly code: "passkey_missing" | "passkey_unsupported" | "passkey_not_used";
  readonly errors: [];
}

/** `options`: the answer of POST /v1/passkeys/options. Returns what POST /v1/passkeys takes, without a name. */
export function createPasskey(options: object): Promise<{
  credential_id: string; client_data: string; attestation_object: string;
}>;

/** Signs a decision with one of the caller's passkeys. The answer of an objection is null, its note the reason. */
export function signDecision(listing: Passkeys, vote: {
  runId: string; approvalId: string; digest: string; decisionId: string; answer: unknown;
  note?: string | null; objection?: boolean;
}): Promise<DecisionSignature>;

/** JSON with sorted members and no white space (RFC 8785). */
export function canonicalJson(value: unknown): string;
