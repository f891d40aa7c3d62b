// Runs of training: the loss and ‖Δθ‖ beside each other, as a smooth loss alone does not say that a network settles.

import { drawChart } from "./chart.js";
import { ORDER_COLORS, legend } from "./style.js";

// Shows them; what was drawn, to be saved: { pictures, keys }.
export function showTraining($, runs) {
  $("training-section").hidden = !runs.length;
  if (!runs.length) return { pictures: [{ title: "", svg: null }], keys: [] };
  const lines = (what) => runs.map((run) => ({ x: run.steps, y: run[what], color: colorOf(run.order) }));
  const loss = drawChart($("training-loss"), lines("loss"), { name: "Loss over the step" });
  const moves = drawChart($("training-moves"), lines("moves"), { name: "Distance of neighbours over the step", log: true });
  const keys = runs.map((run) => ({ color: colorOf(run.order), title: `${run.name} (${run.order})` }));
  legend($("training-legend"), keys);
  return { pictures: [{ title: "Loss", svg: loss.svg }, { title: "Distance of neighbours ‖Δθ‖", svg: moves.svg }], keys };
}

const colorOf = (order) => ORDER_COLORS[order.startsWith("Window(w") ? "sliding" : order.startsWith("Window") ? "anchored" : order];
