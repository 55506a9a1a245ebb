// Which numbers reach the gateway as they were typed. JavaScript reads a number above 1.8e308 as infinite, which
// JSON writes as null, and rounds whole numbers above 2^53. Pure.

const WHOLE = /^[+-]?\d+$/;
// The strings of a JSON text, which may contain digits, and its numbers.
const TOKENS = /"[^"\\]*(?:\\.[^"\\]*)*"|-?\d[\d.eE+-]*/g;

/** Whether a number is sent with the value of its text. A rounded fraction is: the gateway rounds it in the same way. */
export function isSentAsTyped(text) {
  const number = Number(text);
  if (!Number.isFinite(number)) return false;
  if (number === 0) return !/[1-9]/.test(text.split(/e/i)[0]);
  return !WHOLE.test(text) || JSON.stringify(number) === String(BigInt(text));
}

/** The first number of a JSON text that would be sent as another value, or null. */
export function changedNumber(json) {
  return json.match(TOKENS)?.find((token) => !token.startsWith('"') && !isSentAsTyped(token)) ?? null;
}
