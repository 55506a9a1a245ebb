// A file of the input: chosen or dropped, and uploaded at once; the value is the reference to the stored file.
import { api } from "../data/api.js";
import { humane } from "../ui/format.js";
import { h, setText } from "../ui/dom.js";
import { shellOf } from "./field-frame.js";

/** The title of the type itself, in the place of which the field's name is shown. */
const TYPE = "Upload";

export function uploadField(node, { place, name, value, required }) {
  const control = h("input", { type: "file" });
  const label = node.title && node.title !== TYPE ? node.title : humane(name);
  const shell = shellOf({ node, label, control, required });
  const status = h("p", { class: "hint", role: "status" });
  shell.element.append(status);
  let stored = value?.object ? { object: value.object, name: value.name ?? "" } : null;
  let attempt = 0;
  let pending = null;
  let failure = null;
  const show = () => setText(status, pending ? `Uploading ${pending}…` : stored ? `Uploaded: ${stored.name || stored.object}` : "");

  async function upload(file) {
    const own = ++attempt;
    [pending, stored, failure] = [file.name, null, null];
    shell.setProblem(null);
    show();
    try {
      const { body } = await api.upload(file);
      if (own === attempt) stored = { object: body.object, name: file.name.slice(0, 200) };
    } catch (problem) {
      if (own === attempt) failure = problem.message;
    }
    if (own !== attempt) return;
    pending = null;
    shell.setProblem(failure);
    show();
  }

  control.addEventListener("change", () => { if (control.files[0]) upload(control.files[0]); });
  shell.element.addEventListener("dragover", (event) => event.preventDefault());
  shell.element.addEventListener("drop", (event) => {
    event.preventDefault();
    if (event.dataTransfer.files[0]) upload(event.dataTransfer.files[0]);
  });
  show();

  const message = () => {
    if (pending) return "Wait until the file is uploaded.";
    if (failure) return failure;
    return required && !stored ? "Choose a file." : null;
  };
  const problems = () => (message() ? [{ field: place.path, message: message() }] : []);
  const own = { ...shell, get path() { return place.path; }, label, problems, focusTarget: control };
  return Object.assign(own, { read: () => stored ?? undefined, all: () => [own] });
}
