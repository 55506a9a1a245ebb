// The title of the browser's tab, with the number of pending approvals in front.

let pending = 0;
let text = "";

export function setTitle(next) {
  text = next;
  write();
}

export function setPending(count) {
  pending = count;
  write();
}

function write() {
  const title = `${pending ? `(${pending}) ` : ""}${text ? `${text} · ` : ""}Signalbox`;
  if (document.title !== title) document.title = title;
}
