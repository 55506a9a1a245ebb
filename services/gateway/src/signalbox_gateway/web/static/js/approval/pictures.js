// The pictures of one variant: one large, and the sizes as radio buttons.
import { artifactAddress } from "../data/api.js";
import { showPictures } from "../ui/dialog.js";
import { div, h, pictureElement, span, uniqueId } from "../ui/dom.js";
import { humane, size } from "../ui/format.js";
import { icon } from "../ui/icons.js";

export class PictureStage {
  constructor(runId, option) {
    this.option = option;
    this.pictures = (option.pictures ?? [])
      .filter((picture) => picture?.artifact)
      .map((picture) => ({ ...picture, path: artifactAddress(runId, picture.artifact) }));
    this.at = 0;
    if (this.pictures.length === 0) {
      this.element = div("stage empty", h("p", {}, "This variant has no pictures."));
      return;
    }
    this.image = pictureElement({ class: "stage-image" });
    const corner = h("span", { class: "stage-expand", "aria-hidden": "true" }, icon("expand"));
    this.open = h("button", { type: "button", class: "stage-open", onclick: () => this.#view() }, this.image, corner);
    this.element = div("stage", this.open, this.#sizes());
    this.#show(this.#best());
  }

  /** The size closest to the shape of the stage. */
  #best() {
    const index = this.pictures.findIndex((picture) => picture.size === "1200x628");
    return index === -1 ? 0 : index;
  }

  #sizes() {
    const name = uniqueId("sizes");
    const best = this.#best();
    const choice = (picture, index) => h("label", { class: "size" },
      h("input", { type: "radio", name, checked: index === best, onchange: () => this.#show(index) }),
      sizeShape(picture.size), h("span", {}, humane(picture.size)));
    const skipped = (this.option.skipped_sizes ?? []).map((one) => span("size skipped", `${humane(one)} skipped: the text does not fit`));
    return h("fieldset", { class: "sizes" }, h("legend", { class: "visually-hidden" }, "Size shown"), this.pictures.map(choice), skipped);
  }

  #alt(picture) {
    return `${this.option.headline ?? this.option.variant}, ${humane(picture.size)} pixels`;
  }

  #show(index) {
    this.at = index;
    const picture = this.pictures[index];
    this.image.setAttribute("src", picture.path);
    this.image.setAttribute("alt", this.#alt(picture));
    this.open.setAttribute("aria-label", `View full size: ${this.#alt(picture)}`);
  }

  #view() {
    const captionOf = (picture) => `${humane(picture.size)} · ${size(picture.size_bytes ?? 0)}`;
    const views = this.pictures.map((picture) => ({ path: picture.path, alt: this.#alt(picture), caption: captionOf(picture) }));
    showPictures(views, this.at);
  }
}

/** A small outline in the picture's proportions. */
function sizeShape(text) {
  const [width, height] = String(text).split("x").map(Number);
  const shape = h("span", { class: "size-shape", "aria-hidden": "true" });
  if (width && height) {
    const scale = 14 / Math.max(width, height);
    shape.style.setProperty("--w", `${Math.max(3, width * scale)}px`);
    shape.style.setProperty("--h", `${Math.max(3, height * scale)}px`);
  }
  return shape;
}
