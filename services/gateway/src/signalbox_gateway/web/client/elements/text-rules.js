// What a JSON Schema requires of a text, as the gateway checks it. Pure.

/** The length that minLength and maxLength limit: in code points, as Python counts, and not in UTF-16 units. */
export const lengthOf = (text) => [...text].length;

/** Whether a text has a pattern. The gateway checks one that only Python understands, such as `(?i)yes`. */
export function matchesPattern(pattern, text) {
  let expression;
  try { expression = new RegExp(pattern, "u"); } catch { return true; }
  return expression.test(text);
}
