// The messages of a notebook's widget. All views of a widget hear all of them, so each carries the name of its view.

const PATIENCE = 5000;
const SILENT = "The kernel does not answer. It works on another cell, or it was restarted: then run the cell of this view again.";

export class Comm {
  constructor(model) {
    this.model = model;
    this.name = [...crypto.getRandomValues(new Uint32Array(4))].join("-");
  }

  start({ opened, answered, waits }) {
    this.waits = waits;
    this.left = 0;  // questions without an answer
    this.heard = (content, buffers) => {
      if (content.to !== this.name) return;
      waits("");
      clearTimeout(this.timer);
      if (content.notice) { answered(content.notice); return; }  // of what takes long: the answer comes later
      this.left--;
      if (this.left > 0) this.expect();
      answered(buffers.length ? bytesOf(buffers[0]) : content.text);
    };
    this.changed = () => this.expect();  // a kernel that was restarted leaves this unanswered
    this.model.on("msg:custom", this.heard);
    this.model.on("comm_live_update", this.changed);
    queueMicrotask(opened);
  }

  send(text) {
    try {
      this.left++;
      this.model.send({ from: this.name, text });
      this.expect();
    } catch {
      this.waits(SILENT);
    }
  }

  expect() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.waits(SILENT), PATIENCE);
  }

  stop() {
    clearTimeout(this.timer);
    this.model.off("msg:custom", this.heard);
    this.model.off("comm_live_update", this.changed);
    try {
      this.model.send({ from: this.name, text: "" });
    } catch { /* the kernel has gone, and what it held with it */ }
  }
}

// A buffer of its own: what arrives may lie anywhere in a larger one, and numbers of eight bytes want their place.
const bytesOf = (view) => view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength);
