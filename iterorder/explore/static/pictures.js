// Where the replicas are: a histogram beside the exact law on the line, a density in the plane; three of them marked.

import { channels, density } from "./density.js";
import { fittingTicks, label, ticks } from "./numbers.js";
import { CanvasPen, SvgPen } from "./pen.js";
import { drawing } from "./svg.js";

const WIDTH = 560, NARROWEST = 280, PAD = { left: 46, right: 12, top: 10, bottom: 34 };
// Height over width: of a histogram, and the least and the most that a plane with equal axes takes.
const RATIO = 400 / 560, FLATTEST = 0.4, TALLEST = 0.9;
const INK = "#1c2126", LINE = "#d5dadf";

// As wide as it is seen, so that words keep their size; twice as many pixels.
export function drawPicture(canvas, part, frame, scene, ...how) {
  const size = sizeOf(Math.max(NARROWEST, canvas.clientWidth || WIDTH), scene);
  if (canvas.width !== 2 * size.width || canvas.height !== 2 * size.height) {
    Object.assign(canvas, { width: 2 * size.width, height: 2 * size.height });
  }
  const context = canvas.getContext("2d");
  context.setTransform(2, 0, 0, 2, 0, 0);
  draw(new CanvasPen(context), size, part, frame, scene, ...how);
}

export function pictureSvg(name, part, frame, scene, ...how) {
  const size = sizeOf(WIDTH, scene), svg = drawing(size.width, size.height, name);
  draw(new SvgPen(svg), size, part, frame, scene, ...how);
  return svg;
}

// Of the whole, and the rectangle that the ranges fill: where the axes are equal, a unit has one length along both.
function sizeOf(width, scene) {
  const most = width - PAD.left - PAD.right, whole = (up) => Math.round(up + PAD.top + PAD.bottom);
  if (!scene.equal_axes) {
    const height = Math.round(RATIO * width);
    return { width, height, left: PAD.left, bottom: height - PAD.bottom, across: most, up: height - PAD.top - PAD.bottom };
  }
  const [xspan, yspan] = scene.ranges.map(([low, high]) => high - low);
  const room = Math.min(TALLEST * width, Math.max(FLATTEST * width, (most * yspan) / xspan));
  const unit = Math.min(most / xspan, room / yspan), across = unit * xspan, up = unit * yspan;
  return { width, height: whole(room), left: PAD.left + (most - across) / 2, bottom: PAD.top + (room + up) / 2, across, up };
}

function draw(pen, size, part, frame, scene, color, paths) {
  pen.rect(0, 0, size.width, size.height, "#ffffff");
  if (frame.rows) drawPlane(pen, size, part, frame, scene, color, paths);
  else drawLine(pen, size, part, frame, scene, color, paths);
}

function drawLine(pen, size, part, frame, scene, color, paths) {
  const [low, high] = scene.ranges[0];
  const peak = 1.25 * Math.max(scene.peak, 1 / frame.columns);
  const x = along(scene.ranges[0], size);
  const y = (share) => size.bottom - (Math.min(share, peak) / peak) * size.up;
  const width = (high - low) / frame.columns, fill = tint(color);
  for (let k = 0; k < frame.columns; k++) {
    if (!part.counts[k]) continue;
    const top = y(part.counts[k] / frame.replicas);
    pen.rect(x(low + k * width), top, x(low + width) - x(low) + 0.3, size.bottom - top, fill);
  }
  if (scene.law) {
    const steps = scene.law.flatMap((share, k) => [[x(low + k * width), y(share)], [x(low + (k + 1) * width), y(share)]]);
    pen.line(steps, INK, 1.2);
  }
  axis(pen, size, x, low, high);
  pen.text("replicas", 6, PAD.top + 8);
  paths.forEach((path) => dot(pen, x(path[0][frame.n]), size.bottom));
}

function drawPlane(pen, size, part, frame, scene, color, paths) {
  const [[xlow, xhigh], [ylow, yhigh]] = scene.ranges, top = size.bottom - size.up;
  pen.image(density(part.counts, frame, color), size.left, top, size.across, size.up);
  const x = along(scene.ranges[0], size);
  const y = (value) => size.bottom - ((value - ylow) / (yhigh - ylow)) * size.up;
  axis(pen, size, x, xlow, xhigh);
  pen.line([[size.left - 0.5, top], [size.left - 0.5, size.bottom]], LINE, 1);
  for (const tick of ticks(ylow, yhigh, 5)) pen.text(label(tick), size.left - 6, y(tick) + 4, "end");
  paths.forEach((path) => dot(pen, x(path[0][frame.n]), y(path[1][frame.n])));
}

const along = ([low, high], size) => (value) => size.left + ((value - low) / (high - low)) * size.across;

// Lighter, and opaque: bars that overlap by a hair show no seams.
const tint = (color) => `rgb(${channels(color).map((c) => Math.round(255 - 0.55 * (255 - c))).join(" ")})`;

function axis(pen, size, x, low, high) {
  pen.line([[size.left, size.bottom + 0.5], [size.left + size.across, size.bottom + 0.5]], LINE, 1);
  for (const tick of fittingTicks(low, high, size.across)) pen.text(label(tick), x(tick), size.bottom + 20, "middle");
}

function dot(pen, x, y) {
  if (Number.isFinite(x) && Number.isFinite(y)) pen.dot(x, y, 5, "#ffffff", INK, 2);
}
