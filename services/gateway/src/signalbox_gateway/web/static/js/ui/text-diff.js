// The difference between two texts, word by word. Pure.

// Larger texts are compared as a whole, because the table of the comparison grows with the product of their lengths.
const MAX_CELLS = 1_000_000;

/** [{kind: "same" | "removed" | "added", text}], in the order in which to read them. */
export function wordDiff(before, after) {
  const old = wordsOf(before);
  const next = wordsOf(after);
  if (old.length * next.length > MAX_CELLS) return merged([["removed", before], ["added", after]]);
  const common = commonLengths(old, next);
  const parts = [];
  let [row, column] = [0, 0];
  while (row < old.length || column < next.length) {
    if (old[row] === next[column]) { parts.push(["same", old[row]]); row += 1; column += 1; }
    else if (column === next.length || (row < old.length && common[row + 1][column] >= common[row][column + 1])) {
      parts.push(["removed", old[row]]); row += 1;
    } else { parts.push(["added", next[column]]); column += 1; }
  }
  return merged(parts);
}

/** Words, and the spaces between them. */
const wordsOf = (text) => text.match(/\s+|\S+/g) ?? [];

/** For each pair of positions, the length of the longest common sequence of the rest. */
function commonLengths(old, next) {
  const table = Array.from({ length: old.length + 1 }, () => new Uint32Array(next.length + 1));
  for (let row = old.length - 1; row >= 0; row -= 1) {
    for (let column = next.length - 1; column >= 0; column -= 1) {
      const isSame = old[row] === next[column];
      table[row][column] = isSame ? table[row + 1][column + 1] + 1 : Math.max(table[row + 1][column], table[row][column + 1]);
    }
  }
  return table;
}

function merged(parts) {
  const result = [];
  for (const [kind, text] of parts) {
    if (result.at(-1)?.kind === kind) result.at(-1).text += text;
    else if (text) result.push({ kind, text });
  }
  return result;
}
