// The diagram of stability: step size against batch size; a click chooses both.

import { drawChart } from "./chart.js";
import { element } from "./svg.js";

const TOLD = "Mean-square stable left of the line. A click sets step size and batch size; the circle is this view.";

export class Stability {
  // drawn: called when there is a diagram.
  constructor($, ask, choose, drawn) {
    Object.assign(this, { $, ask, choose, drawn, svg: null });
    $("stability-button").onclick = () => this.compute();
  }

  // Another view: its diagram has to be asked for.
  show(scene) {
    this.svg = null;
    this.$("stability").replaceChildren();
    this.$("stability-section").hidden = !scene.uses.includes("batch_size");
    this.$("stability-button").hidden = Boolean(scene.undrawn);
    this.$("stability-text").textContent = scene.undrawn || "For each batch size, the step size at which second moments are lost.";
  }

  async compute() {
    this.$("stability-text").textContent = "Computing …";
    const found = await this.ask({ do: "stability" }).catch(() => null);
    if (found && found.kind === "left") return;  // another view was opened
    if (found && found.kind === "stability" && !found.reason) this.draw(found);
    else this.$("stability-text").textContent = (found && (found.reason || found.text)) || "The connection is lost.";
  }

  draw(found) {
    const { step_size, batch_size } = this.choose.now();
    const known = found.boundaries.map((h, k) => [h, found.batch_sizes[k]]).filter(([h]) => h !== null);
    const steps = [...known.map(([h]) => h), step_size];
    const low = Math.min(...steps) / 4, high = Math.max(...steps) * 2, top = Math.log2(found.batch_sizes.at(-1));
    const line = { x: known.map(([h]) => h), y: known.map(([, b]) => Math.log2(b)), color: "#000000" };
    const chart = drawChart(this.$("stability"), [line], {
      logx: true, xrange: [low, high], yrange: [-0.4, top + 0.4], xlabel: "step size", ylabel: "batch", name: "Stability over step size and batch size",
      ytick: (level) => (Number.isInteger(level) ? String(2 ** level) : ""),
    });
    chart.svg.append(element("circle", { cx: chart.x(step_size), cy: chart.y(Math.log2(batch_size)), r: 6, fill: "#ffffff", stroke: "#00588a", "stroke-width": 2.5 }));
    chart.svg.onclick = async (event) => {
      const at = new DOMPoint(event.clientX, event.clientY).matrixTransform(chart.svg.getScreenCTM().inverse());
      const share = (at.x - chart.x(low)) / (chart.x(high) - chart.x(low));
      const step = Number((low * (high / low) ** Math.min(1, Math.max(0, share))).toPrecision(3));
      const level = Math.round((at.y - chart.y(0)) / (chart.y(1) - chart.y(0)));
      await this.choose.set({ step_size: step, batch_size: 2 ** Math.min(top, Math.max(0, level)) });
      this.draw(found);
    };
    this.svg = chart.svg;
    this.drawn();
    this.$("stability-text").textContent = TOLD;
  }
}
