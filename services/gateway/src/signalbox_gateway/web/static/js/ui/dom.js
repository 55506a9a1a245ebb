// Creates elements. Data only becomes text or attributes, never markup.

const SVG = "http://www.w3.org/2000/svg";
const URL_ATTRIBUTES = new Set(["href", "src"]);

/** Whether a URL is a path of this origin or a fragment; anything else (other hosts, javascript:, data:) is rejected. */
export function isOwnPath(url) {
  return typeof url === "string" && (url.startsWith("#") || /^\/(?![/\\])/.test(url));
}

/**
 * h("button", {class: "quiet", type: "button", onclick: save, "aria-label": "Save"}, "Save")
 * Strings become text nodes; null, undefined and false children and attributes are left out.
 */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) setAttribute(element, name, value);
  append(element, children);
  return element;
}

export const div = (name, ...children) => h("div", { class: name }, ...children);
export const span = (name, ...children) => h("span", { class: name }, ...children);

export function svg(tag, attributes = {}, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
  append(element, children);
  return element;
}

function setAttribute(element, name, value) {
  if (value === null || value === undefined || value === false) return;
  if (typeof value === "function" && name.startsWith("on")) element.addEventListener(name.slice(2), value);
  else if (name.startsWith("on")) throw new TypeError(`${name} must be a function`);
  else if (name === "data") Object.assign(element.dataset, value);
  else if (name === "value" || name === "checked" || name === "disabled" || name === "open") element[name] = value;
  else if (URL_ATTRIBUTES.has(name)) { if (isOwnPath(value)) element.setAttribute(name, value); }
  else element.setAttribute(name, value === true ? "" : String(value));
}

function append(element, children) {
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    element.append(child instanceof Node ? child : document.createTextNode(String(child)));
  }
}

export function replace(element, ...children) {
  element.replaceChildren();
  append(element, children);
}

/** Makes the children equal to `wanted`; moves only what is out of place, so that the focus stays. */
export function arrange(element, wanted) {
  const kept = new Set(wanted);
  for (const child of [...element.children]) if (!kept.has(child)) child.remove();
  for (const [index, child] of wanted.entries()) {
    if (element.children[index] !== child) element.insertBefore(child, element.children[index] ?? null);
  }
}

/** Writes only a changed text, so that a screen reader does not repeat it and the caret stays. */
export function setText(element, text) {
  const wanted = text ?? "";
  if (element.textContent !== wanted) element.textContent = wanted;
}

const AGAIN_MS = [1000, 3000, 8000, 20_000];

/** An image that is loaded again after an error, for example during a restart of the gateway. */
export function pictureElement(attributes) {
  const image = h("img", { decoding: "async", ...attributes });
  let failures = 0;
  image.addEventListener("load", () => { failures = 0; });
  image.addEventListener("error", () => {
    const path = image.getAttribute("src");
    const again = () => { if (image.getAttribute("src") === path) image.setAttribute("src", path); };
    if (failures < AGAIN_MS.length) setTimeout(again, AGAIN_MS[failures++]);
  });
  return image;
}

const INERT_PICTURE = /^data:image\/(?:svg\+xml|png|jpeg|gif|webp);base64,[A-Za-z0-9+/]+=*$/;

export const isInertPicture = (text) => typeof text === "string" && INERT_PICTURE.test(text);

/** A picture embedded in a question as a data: URL. In an <img>, even an SVG runs no scripts and loads nothing. */
export function inertPicture(address, alt) {
  const image = h("img", { alt });
  if (isInertPicture(address)) image.setAttribute("src", address);
  return image;
}

/** An id for labels and descriptions to refer to. */
let counter = 0;
export const uniqueId = (prefix) => `${prefix}-${++counter}`;

/** A link to another origin, for example to the page a run was started for: http(s) only, without a referrer. */
export function outsideLink(url) {
  let parsed = null;
  try { parsed = new URL(url); } catch { return null; }
  if (!["http:", "https:"].includes(parsed.protocol)) return null;
  const link = h("a", { rel: "noopener noreferrer nofollow", target: "_blank" }, url);
  link.setAttribute("href", parsed.href);
  return link;
}
