// What is taken along: the link, the lines of Python, pictures and numbers.

import { npz, save, savePng, saveSvg, textOf } from "./downloads.js";
import { pictureSvg } from "./pictures.js";
import { sheet } from "./sheet.js";

const PICTURES = {
  replicas: "the replicas", paths: "the paths", increments: "the increments", stability: "the diagram of stability", training: "the training",
};

export class Taken {
  constructor($, page) {
    Object.assign(this, { $, page });
    $("copy-link").textContent = page.place.title;
    $("copy-link").onclick = () => this.copy(page.place.link(), page.isOfTable() ? ` ${page.place.ofTable}` : "");
    $("copy-python").onclick = () => this.copy($("python").textContent, "");
    $("save-svg").onclick = () => this.save(saveSvg);
    $("save-png").onclick = () => this.save(savePng);
    $("save-npz").onclick = () => page.state.frame && save("iterorder.npz", npz(this.numbers()), "application/zip");
  }

  async copy(words, also) {
    const told = await Promise.resolve(navigator.clipboard?.writeText(words) ?? Promise.reject()).then(() => "Copied.", () => "Copying is not allowed here.");
    this.$("copied").textContent = told + also;
  }

  // What is drawn can be saved, and nothing else is offered.
  offer() {
    const list = this.$("save-what"), chosen = list.value;
    list.replaceChildren(...Object.keys(PICTURES).filter((what) => this.has(what)).map((what) => new Option(PICTURES[what], what)));
    if (chosen && this.has(chosen)) list.value = chosen;
  }

  has(what) {
    if (what === "training") return this.page.training.pictures.every(({ svg }) => svg);
    return Boolean(what === "stability" ? this.page.stability.svg : this.page.state.scene && this.page.state.frame);
  }

  save(saved) {
    const what = this.$("save-what").value, svg = this.svg(what);
    this.$("copied").textContent = svg ? "" : "Nothing is drawn yet.";
    if (svg) saved(`iterorder-${what}`, svg);
  }

  // The chosen pictures as one SVG, or null where there are none.
  svg(what) {
    const { page } = this, { scene, frame } = page.state, titles = page.titles();
    const named = (pictures, keys) => (pictures.every(({ svg }) => svg) ? sheet(`${page.state.scene?.title}, ${what}`, pictures, keys) : null);
    if (what === "training") return named(page.training.pictures, page.training.keys);
    if (!scene || !frame) return null;
    if (what === "increments") return named([{ title: `${scene.title}: ${this.$("rates-title").textContent}`, svg: page.charts[2]?.svg }], page.rateLines);
    if (what === "stability") return named([{ title: `${scene.title}: mean-square stable left of the line`, svg: page.stability.svg }], []);
    const keys = what === "replicas" ? page.pictureKeys() : [];
    const pictures = ["forward", "other"].map((side, k) => ({
      title: `${scene.title}: ${titles[k]}, ${what === "replicas" ? `after ${frame.n} steps` : "three replicas over n"}`,
      svg: what === "paths" ? page.charts[k]?.svg : pictureSvg(titles[k], frame[side], frame, scene, page.color(side), scene.paths[k]),
    }));
    return named(pictures, keys);
  }

  text(what) {
    const svg = this.svg(what);
    return svg && textOf(svg);
  }

  numbers() {
    const { scene, frame } = this.page.state;
    const shape = frame.rows ? [frame.columns, frame.rows] : [frame.columns];
    return {
      n: [[frame.n], [1], "<u4"], ranges: [scene.ranges.flat(), [scene.ranges.length, 2], "<f8"],
      forward_counts: [frame.forward.counts, shape, "<u4"], other_counts: [frame.other.counts, shape, "<u4"],
      forward_increments: [scene.increments[0], [scene.increments[0].length], "<f8"],
      other_increments: [scene.increments[1], [scene.increments[1].length], "<f8"],
    };
  }
}
