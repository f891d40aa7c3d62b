// Runs of training: the loss and ‖Δθ‖ beside each other, as a smooth loss alone does not say that a network settles.

import { drawChart } from "./chart.js";
import { ORDER_COLORS, legend } from "./style.js";

export function showTraining(runs) {
  document.getElementById("training-section").hidden = !runs.length;
  if (!runs.length) return;
  const lines = (what) => runs.map((run) => ({ x: run.steps, y: run[what], color: colorOf(run.order) }));
  drawChart(document.getElementById("training-loss"), lines("loss"), { name: "Loss over the step" });
  drawChart(document.getElementById("training-moves"), lines("moves"), { name: "Distance of neighbours over the step", log: true });
  legend(document.getElementById("training-legend"), runs.map((run) => ({ color: colorOf(run.order), title: `${run.name} (${run.order})` })));
}

const colorOf = (order) => ORDER_COLORS[order.startsWith("Window(w") ? "sliding" : order.startsWith("Window") ? "anchored" : order];
