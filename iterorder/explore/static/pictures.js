// Where the replicas are: a histogram beside the exact law on the line, a density in the plane; three of them marked.

const WIDTH = 560, HEIGHT = 400, PAD = { left: 46, right: 12, top: 10, bottom: 34 };
const INK = "#1c2126", SOFT = "#59626b", LINE = "#d5dadf";

export function drawPicture(canvas, part, frame, scene, color, paths) {
  if (canvas.width !== 2 * WIDTH) Object.assign(canvas, { width: 2 * WIDTH, height: 2 * HEIGHT });
  const context = canvas.getContext("2d");
  context.setTransform(2, 0, 0, 2, 0, 0);
  context.fillStyle = "#ffffff";
  context.fillRect(0, 0, WIDTH, HEIGHT);
  if (frame.rows) drawPlane(context, part, frame, scene, color, paths);
  else drawLine(context, part, frame, scene, color, paths);
}

function drawLine(context, part, frame, scene, color, paths) {
  const [low, high] = scene.ranges[0];
  const law = scene.law;
  const peak = 1.25 * Math.max(scene.peak, 1 / frame.columns);
  const x = (value) => PAD.left + ((value - low) / (high - low)) * (WIDTH - PAD.left - PAD.right);
  const y = (share) => HEIGHT - PAD.bottom - (Math.min(share, peak) / peak) * (HEIGHT - PAD.top - PAD.bottom);
  const width = (high - low) / frame.columns;
  context.fillStyle = color;
  context.globalAlpha = 0.55;
  for (let k = 0; k < frame.columns; k++) {
    if (!part.counts[k]) continue;
    const top = y(part.counts[k] / frame.replicas);
    context.fillRect(x(low + k * width), top, x(low + width) - x(low) + 0.3, HEIGHT - PAD.bottom - top);
  }
  context.globalAlpha = 1;
  if (law) {
    context.strokeStyle = INK;
    context.lineWidth = 1.2;
    context.beginPath();
    law.forEach((share, k) => {
      context.lineTo(x(low + k * width), y(share));
      context.lineTo(x(low + (k + 1) * width), y(share));
    });
    context.stroke();
  }
  axis(context, x, low, high);
  text(context, "replicas", 6, PAD.top + 8);
  paths.forEach((path) => dot(context, x(path[0][frame.n]), HEIGHT - PAD.bottom, color));
}

function drawPlane(context, part, frame, scene, color, paths) {
  const [[xlow, xhigh], [ylow, yhigh]] = scene.ranges;
  const inner = { width: WIDTH - PAD.left - PAD.right, height: HEIGHT - PAD.top - PAD.bottom };
  const image = density(part.counts, frame, color);
  context.imageSmoothingEnabled = true;
  context.drawImage(image, PAD.left, PAD.top, inner.width, inner.height);
  const x = (value) => PAD.left + ((value - xlow) / (xhigh - xlow)) * inner.width;
  const y = (value) => HEIGHT - PAD.bottom - ((value - ylow) / (yhigh - ylow)) * inner.height;
  axis(context, x, xlow, xhigh);
  context.textAlign = "right";
  for (const tick of ticks(ylow, yhigh, 5)) text(context, label(tick), PAD.left - 6, y(tick) + 4);
  context.textAlign = "left";
  paths.forEach((path) => dot(context, x(path[0][frame.n]), y(path[1][frame.n]), color));
}

const image = { canvas: null, pixels: null };

function density(counts, { columns, rows }, color) {
  if (!image.canvas) {
    image.canvas = new OffscreenCanvas(columns, rows);
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

const palettes = {};

function palette(color) {
  if (palettes[color]) return palettes[color];
  const [r, g, b] = [1, 3, 5].map((k) => parseInt(color.slice(k, k + 2), 16));
  const shades = new Uint32Array(256);
  for (let k = 0; k < 256; k++) {
    // White to the colour over the first two thirds, then on to a dark shade of it: lightness tells counts apart.
    const t = k / 255, light = Math.max(0, 1 - 1.5 * t), dark = t > 2 / 3 ? 1 - 0.75 * (3 * t - 2) : 1;
    const [red, green, blue] = [r, g, b].map((c) => ((c + (255 - c) * light) * dark) | 0);
    shades[k] = 0xff000000 | (blue << 16) | (green << 8) | red;
  }
  return (palettes[color] = shades);
}

function axis(context, x, low, high) {
  context.strokeStyle = LINE;
  context.lineWidth = 1;
  context.beginPath();
  context.moveTo(PAD.left, HEIGHT - PAD.bottom + 0.5);
  context.lineTo(WIDTH - PAD.right, HEIGHT - PAD.bottom + 0.5);
  context.stroke();
  context.textAlign = "center";
  for (const tick of ticks(low, high, 6)) text(context, label(tick), x(tick), HEIGHT - PAD.bottom + 20);
  context.textAlign = "left";
}

function dot(context, x, y, color) {
  if (!Number.isFinite(x) || !Number.isFinite(y)) return;
  context.beginPath();
  context.arc(x, y, 5, 0, 2 * Math.PI);
  context.fillStyle = "#ffffff";
  context.fill();
  context.lineWidth = 2;
  context.strokeStyle = INK;
  context.stroke();
}

function text(context, words, x, y) {
  context.fillStyle = SOFT;
  context.font = "13px system-ui, sans-serif";
  context.fillText(words, x, y);
}

export function ticks(low, high, wanted) {
  const raw = (high - low) / wanted, power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((m) => m * power).find((candidate) => candidate >= raw) || raw;
  const found = [];
  for (let k = Math.ceil(low / step); k * step <= high && found.length < 20; k++) found.push(k * step);
  return found;
}

export const label = (value) => String(Number(value.toPrecision(6))).replace("-", "−");
