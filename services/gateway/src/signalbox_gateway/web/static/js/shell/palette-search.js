// Which commands match a text: every word of it begins a word of the command. Pure.

const wordsOf = (text) => text.toLowerCase().split(/[\s_·]+/).filter(Boolean);

/** The matching commands, in their order. */
export function matching(items, text) {
  const wanted = wordsOf(text);
  if (wanted.length === 0) return items;
  return items.filter((item) => {
    const words = wordsOf(`${item.text} ${item.hint ?? ""}`);
    return wanted.every((part) => words.some((word) => word.startsWith(part)));
  });
}
