import { Approval } from "../signalbox.js";

/** What is shown is not the question that the digest is of, or this version cannot compute it; nothing was sent. */
export class DigestMismatchError extends Error {
  readonly code: "digest_mismatch";
  readonly errors: [];
}

/** Whether this page can compute the digest: not one of an earlier version, nor without HTTPS or localhost. */
export function isCheckable(approval: { digest?: string }): boolean;

/**
 * The digest of an approval that was shown, to send with the decision. Rejects with a DigestMismatchError if it is that
 * of another question or has a form of later versions; one that cannot be checked here is returned as it is.
 */
export function verifiedDigest(approval: Approval): Promise<string>;
