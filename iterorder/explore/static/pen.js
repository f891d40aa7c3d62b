// What pictures are drawn with, on a canvas frame by frame or into an SVG to be saved: the same strokes for both.

import { element, words } from "./svg.js";

const SOFT = "#59626b", FONT = 13;
const ANCHORS = { start: "left", middle: "center", end: "right" };

export class CanvasPen {
  constructor(context) { this.context = context; }

  rect(x, y, width, height, color) {
    this.context.fillStyle = color;
    this.context.fillRect(x, y, width, height);
  }

  line(points, color, width) {
    this.context.strokeStyle = color;
    this.context.lineWidth = width;
    this.context.beginPath();
    for (const [x, y] of points) this.context.lineTo(x, y);
    this.context.stroke();
  }

  dot(x, y, radius, fill, stroke, width) {
    this.context.beginPath();
    this.context.arc(x, y, radius, 0, 2 * Math.PI);
    this.context.fillStyle = fill;
    this.context.fill();
    this.context.lineWidth = width;
    this.context.strokeStyle = stroke;
    this.context.stroke();
  }

  text(content, x, y, anchor = "start") {
    this.context.fillStyle = SOFT;
    this.context.font = `${FONT}px system-ui, sans-serif`;
    this.context.textAlign = ANCHORS[anchor];
    this.context.fillText(content, x, y);
  }

  image(canvas, x, y, width, height) { this.context.drawImage(canvas, x, y, width, height); }
}

export class SvgPen {
  constructor(svg) { this.svg = svg; }

  rect(x, y, width, height, color) {
    this.svg.append(element("rect", { x: short(x), y: short(y), width: short(width), height: short(height), fill: color }));
  }

  line(points, color, width) {
    const path = points.map(([x, y]) => `${short(x)},${short(y)}`).join(" ");
    this.svg.append(element("polyline", { points: path, fill: "none", stroke: color, "stroke-width": width }));
  }

  dot(x, y, radius, fill, stroke, width) {
    this.svg.append(element("circle", { cx: short(x), cy: short(y), r: radius, fill, stroke, "stroke-width": width }));
  }

  text(content, x, y, anchor = "start") {
    this.svg.append(words(content, { x: short(x), y: short(y), "text-anchor": anchor, "font-size": FONT, fill: SOFT }));
  }

  image(canvas, x, y, width, height) {
    this.svg.append(element("image", { href: canvas.toDataURL("image/png"), x, y, width, height, preserveAspectRatio: "none" }));
  }
}

const short = (value) => Number(value.toFixed(2));
