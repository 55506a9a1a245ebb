// Canonical JSON by RFC 8785, and its SHA-256.

/** JSON with sorted members and no white space (RFC 8785). */
export function canonicalJson(value) {
  const plain = JSON.parse(JSON.stringify(value));
  const write = (item) => {
    if (Array.isArray(item)) return `[${item.map(write).join(",")}]`;
    if (item === null || typeof item !== "object") return JSON.stringify(item);
    return `{${Object.keys(item).sort().map((name) => `${JSON.stringify(name)}:${write(item[name])}`).join(",")}}`;
  };
  return write(plain);
}

export const sha256 = (text) => crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));

export const hex = (buffer) => Array.from(new Uint8Array(buffer), (byte) => byte.toString(16).padStart(2, "0")).join("");
