// Where the replicas are: a histogram beside the exact law on the line, a density in the plane; three of them marked.

import { CanvasPen, SvgPen } from "./pen.js";
import { drawing } from "./svg.js";

const WIDTH = 560, NARROWEST = 280, RATIO = 400 / 560, PAD = { left: 46, right: 12, top: 10, bottom: 34 };
const INK = "#1c2126", LINE = "#d5dadf", TICK = 70;

// As wide as it is seen, so that words keep their size; twice as many pixels.
export function drawPicture(canvas, ...seen) {
  const size = sizeOf(Math.max(NARROWEST, canvas.clientWidth || WIDTH));
  if (canvas.width !== 2 * size.width) Object.assign(canvas, { width: 2 * size.width, height: 2 * size.height });
  const context = canvas.getContext("2d");
  context.setTransform(2, 0, 0, 2, 0, 0);
  draw(new CanvasPen(context), size, ...seen);
}

export function pictureSvg(name, ...seen) {
  const size = sizeOf(WIDTH), svg = drawing(size.width, size.height, name);
  draw(new SvgPen(svg), size, ...seen);
  return svg;
}

// Of the whole, and of what lies inside of its axes.
function sizeOf(width) {
  const height = Math.round(RATIO * width);
  return { width, height, bottom: height - PAD.bottom, across: width - PAD.left - PAD.right, up: height - PAD.top - PAD.bottom };
}

function draw(pen, size, part, frame, scene, color, paths) {
  pen.rect(0, 0, size.width, size.height, "#ffffff");
  if (frame.rows) drawPlane(pen, size, part, frame, scene, color, paths);
  else drawLine(pen, size, part, frame, scene, color, paths);
}

function drawLine(pen, size, part, frame, scene, color, paths) {
  const [low, high] = scene.ranges[0];
  const peak = 1.25 * Math.max(scene.peak, 1 / frame.columns);
  const x = (value) => PAD.left + ((value - low) / (high - low)) * size.across;
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
  const [[xlow, xhigh], [ylow, yhigh]] = scene.ranges;
  pen.image(density(part.counts, frame, color), PAD.left, PAD.top, size.across, size.up);
  const x = (value) => PAD.left + ((value - xlow) / (xhigh - xlow)) * size.across;
  const y = (value) => size.bottom - ((value - ylow) / (yhigh - ylow)) * size.up;
  axis(pen, size, x, xlow, xhigh);
  for (const tick of ticks(ylow, yhigh, 5)) pen.text(label(tick), PAD.left - 6, y(tick) + 4, "end");
  paths.forEach((path) => dot(pen, x(path[0][frame.n]), y(path[1][frame.n])));
}

const image = { canvas: null, pixels: null };

function density(counts, { columns, rows }, color) {
  if (!image.canvas) {
    image.canvas = Object.assign(document.createElement("canvas"), { width: columns, height: rows });
    image.pixels = new ImageData(columns, rows);
  }
  let most = 1;
  for (let k = 0; k < counts.length; k++) if (counts[k] > most) most = counts[k];
  const words = new Uint32Array(image.pixels.data.buffer);
  const shades = palette(color);
  const scale = 255 / Math.log1p(most);
  for (let i = 0; i < columns; i++) {
    for (let j = 0; j < rows; j++) {
      const count = counts[i * rows + j];
      words[(rows - 1 - j) * columns + i] = shades[count ? (48 + Math.log1p(count) * scale * 0.81) | 0 : 0];
    }
  }
  image.canvas.getContext("2d").putImageData(image.pixels, 0, 0);
  return image.canvas;
}

const channels = (color) => [1, 3, 5].map((k) => parseInt(color.slice(k, k + 2), 16));

// Lighter, and opaque: bars that overlap by a hair show no seams.
const tint = (color) => `rgb(${channels(color).map((c) => Math.round(255 - 0.55 * (255 - c))).join(" ")})`;

const palettes = {};

function palette(color) {
  if (palettes[color]) return palettes[color];
  const [r, g, b] = channels(color);
  const shades = new Uint32Array(256);
  for (let k = 0; k < 256; k++) {
    // White to the colour over the first two thirds, then on to a dark shade of it: lightness tells counts apart.
    const t = k / 255, light = Math.max(0, 1 - 1.5 * t), dark = t > 2 / 3 ? 1 - 0.75 * (3 * t - 2) : 1;
    const [red, green, blue] = [r, g, b].map((c) => ((c + (255 - c) * light) * dark) | 0);
    shades[k] = 0xff000000 | (blue << 16) | (green << 8) | red;
  }
  return (palettes[color] = shades);
}

function axis(pen, size, x, low, high) {
  pen.line([[PAD.left, size.bottom + 0.5], [size.width - PAD.right, size.bottom + 0.5]], LINE, 1);
  const wanted = Math.min(6, Math.floor(size.width / TICK));
  for (const tick of ticks(low, high, wanted)) pen.text(label(tick), x(tick), size.bottom + 20, "middle");
}

function dot(pen, x, y) {
  if (Number.isFinite(x) && Number.isFinite(y)) pen.dot(x, y, 5, "#ffffff", INK, 2);
}

export function ticks(low, high, wanted) {
  const raw = (high - low) / wanted, power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((m) => m * power).find((candidate) => candidate >= raw) || raw;
  const found = [];
  for (let k = Math.ceil(low / step); k * step <= high && found.length < 20; k++) found.push(k * step);
  return found;
}

export const label = (value) => String(Number(value.toPrecision(6))).replace("-", "−");
