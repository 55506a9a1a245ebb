// Elements built without markup strings.

let count = 0;

/** An id that is unique in the page. */
export const uniqueId = (name) => `signalbox-${name}-${count += 1}`;

/** An element: attributes that are null, undefined or false are left out, functions are listeners. */
export function h(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(key, value);
    else if (value !== null && value !== undefined && value !== false) element.setAttribute(key, value);
  }
  element.append(...children.flat(2).filter((child) => child !== null && child !== undefined));
  return element;
}

/** Sets a text only when it differs, so that a screen reader reads a change once. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
