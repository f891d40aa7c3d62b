// Increments and coupling on a logarithmic axis, with the rates of the theory once it is known.

import { drawChart } from "./chart.js";
import { label } from "./numbers.js";
import { ORDER_COLORS } from "./style.js";

export function drawRates(place, scene, view, theory, otherColor) {
  const lines = measured(scene, view, otherColor);
  const values = lines.flatMap((line) => line.y).filter((v) => v > 0 && Number.isFinite(v));
  if (theory) lines.push(...known(scene, view, theory));
  const yrange = [Math.min(...values) / 2, Math.max(...values) * 2];
  const chart = drawChart(place, lines, {
    height: 240, log: true, marker: true, yrange, name: "Increments and coupling over n, on a logarithmic axis",
  });
  return { chart, lines };
}

function measured(scene, view, otherColor) {
  const shifted = (y) => [NaN, ...y.map((v) => v ?? NaN)];
  const lines = [
    { y: shifted(scene.increments[0]), color: ORDER_COLORS.forward, title: "forward increments" },
    { y: shifted(scene.increments[1]), color: otherColor, title: `${view.order} increments` },
  ];
  if (scene.coupling) lines.push({ y: scene.coupling, color: ORDER_COLORS.coupling, title: "distance of two starts under the same maps" });
  return lines;
}

function known(scene, view, theory) {
  const along = (from, rate) => Array.from({ length: Number(view.steps) + 1 }, (_, n) => from * Math.exp(rate * n));
  const told = (rate) => label(Number(rate.toPrecision(4)));
  const lines = [];
  if (theory.rate !== null) {
    lines.push({ y: along(scene.increments[1][0], theory.rate), color: "#000000", dashed: true, width: 1.1, title: `Lyapunov exponent ${told(theory.rate)}` });
  }
  if (theory.mean_square_rate !== null && scene.coupling) {
    lines.push({ y: along(scene.coupling[0], theory.mean_square_rate), color: "#6b7580", dashed: true, width: 1.1, title: `mean-square rate ${told(theory.mean_square_rate)}` });
  }
  return lines;
}
