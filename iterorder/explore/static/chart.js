// Line charts as SVG: lines over a linear or logarithmic axis, a marker of the step, and points that can be clicked.

import { fittingTicks, label, ticks } from "./numbers.js";
import { drawing, element, words } from "./svg.js";

const WIDTH = 560, NARROWEST = 280, PAD = { left: 52, right: 14, top: 10, bottom: 36 };

// lines: {x?, y, color, dashed?, width?, opacity?}
// options: height, log, logx, xrange, yrange, xlabel, ylabel, ytick (value to words), marker, name
export function drawChart(place, lines, options) {
  const { height = 250, log = false, logx = false } = options;
  const width = Math.max(NARROWEST, place.clientWidth || WIDTH);  // as it is seen, so that words keep their size
  const xs = lines.flatMap((line) => line.x || [0, line.y.length - 1]).filter((v) => !logx || v > 0);
  const ys = lines.flatMap((line) => line.y).filter((v) => Number.isFinite(v) && (!log || v > 0));
  const [xlow, xhigh] = options.xrange || [Math.min(...xs), Math.max(...xs)];
  const [ylow, yhigh] = options.yrange || padded(Math.min(...ys), Math.max(...ys), log);
  const x = scale(xlow, xhigh, PAD.left, width - PAD.right, logx);
  const y = scale(ylow, yhigh, height - PAD.bottom, PAD.top, log);
  const ytick = options.ytick || (log ? power : label);
  const svg = drawing(width, height, options.name);
  for (const tick of log ? decades(ylow, yhigh) : ticks(ylow, yhigh, 5)) {
    svg.append(element("line", { x1: PAD.left, x2: width - PAD.right, y1: y(tick), y2: y(tick), stroke: "#e6e9ec" }));
    svg.append(tickLabel(ytick(tick), { x: PAD.left - 7, y: y(tick) + 4, "text-anchor": "end" }));
  }
  for (const tick of logx ? decades(xlow, xhigh) : fittingTicks(xlow, xhigh, width - PAD.left - PAD.right)) {
    svg.append(tickLabel(label(tick), { x: x(tick), y: height - PAD.bottom + 17, "text-anchor": "middle" }));
  }
  svg.append(tickLabel(options.xlabel || "n", { x: width - PAD.right, y: height - 4, "text-anchor": "end" }));
  if (options.ylabel) svg.append(tickLabel(options.ylabel, { x: PAD.left - 7, y: PAD.top + 2, "text-anchor": "end" }));
  for (const line of lines) {
    const path = pathOf(line, x, y, log, [ylow, yhigh]);
    svg.append(element("path", {
      d: path, fill: "none", stroke: line.color, "stroke-width": line.width || 1.6, "stroke-linejoin": "round",
      ...(line.dashed ? { "stroke-dasharray": "6 4" } : {}), ...(line.opacity ? { opacity: line.opacity } : {}),
    }));
  }
  const marker = element("line", { y1: PAD.top, y2: height - PAD.bottom, stroke: "#59626b", "stroke-width": 1 });
  if (options.marker) svg.append(marker);
  place.replaceChildren(svg);
  return {
    svg, x, y,
    mark(n) { marker.setAttribute("x1", x(n)); marker.setAttribute("x2", x(n)); },
  };
}

const tickLabel = (content, attributes) => words(content, { fill: "#59626b", ...attributes });

function padded(low, high, log) {
  if (!(high >= low)) return log ? [0.1, 1] : [0, 1];
  if (log) return [Math.max(low / 2, high * 1e-18), high * 2];
  const margin = 0.05 * (high - low) || Math.abs(low) / 2 || 1;
  return [low - margin, high + margin];
}

function scale(low, high, from, to, log) {
  const f = log ? Math.log : (v) => v;
  const size = f(high) - f(low) || 1;
  return (value) => from + ((f(value) - f(low)) / size) * (to - from);
}

function pathOf(line, x, y, log, [low, high]) {
  let d = "", pen = "M";
  line.y.forEach((value, k) => {
    if (!Number.isFinite(value) || (log && value <= 0) || value < low || value > high) { pen = "M"; return; }
    d += `${pen}${x(line.x ? line.x[k] : k).toFixed(1)} ${y(value).toFixed(1)}`;
    pen = "L";
  });
  return d;
}

function decades(low, high) {
  const from = Math.ceil(Math.log10(low)), to = Math.floor(Math.log10(high)), step = Math.max(1, Math.ceil((to - from) / 6));
  const found = [];
  for (let k = from; k <= to; k += step) found.push(10 ** k);
  return found;
}

function power(value) {
  const digits = { "-": "⁻", 0: "⁰", 1: "¹", 2: "²", 3: "³", 4: "⁴", 5: "⁵", 6: "⁶", 7: "⁷", 8: "⁸", 9: "⁹" };
  return "10" + [...String(Math.round(Math.log10(value)))].map((digit) => digits[digit]).join("");
}
