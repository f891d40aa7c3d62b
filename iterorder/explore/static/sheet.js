// Pictures on one sheet, to be saved: side by side, a title above each and the keys of the colours below.

import { drawing, element, words } from "./svg.js";

const GAP = 24, TITLE = 30, KEY = 20, INK = "#1c2126";

// pictures: [{ title, svg }]; keys: [{ title, color?, dashed? }], words alone where there is no color
export function sheet(name, pictures, keys) {
  const sizes = pictures.map(({ svg }) => svg.viewBox.baseVal);
  const width = sizes.reduce((sum, size) => sum + size.width + GAP, GAP);
  const tallest = Math.max(...sizes.map((size) => size.height));
  const height = TITLE + tallest + KEY * (keys.length + 1);
  const whole = drawing(width, height, name);
  whole.setAttribute("width", width);
  whole.setAttribute("height", height);
  whole.append(element("rect", { width, height, fill: "#ffffff" }));
  let left = GAP;
  pictures.forEach(({ title, svg }, k) => {
    whole.append(words(fitting(title, sizes[k].width), { x: left, y: TITLE - 10, "font-size": 14, fill: INK }));
    const copy = svg.cloneNode(true);
    for (const [key, value] of Object.entries({ x: left, y: TITLE, width: sizes[k].width, height: sizes[k].height })) copy.setAttribute(key, value);
    whole.append(copy);
    left += sizes[k].width + GAP;
  });
  keys.forEach(({ title, color, dashed }, k) => {
    const y = TITLE + tallest + KEY * (k + 0.7);
    if (color) whole.append(element("line", { x1: GAP, x2: GAP + 28, y1: y, y2: y, stroke: color, "stroke-width": 2, ...(dashed ? { "stroke-dasharray": "6 4" } : {}) }));
    whole.append(words(title.trim(), { x: color ? GAP + 38 : GAP, y: y + 4, fill: INK }));
  });
  return whole;
}

// Words of that size are seldom wider than this on average.
const LETTER = 7.5;
const fitting = (title, width) => (title.length * LETTER <= width ? title : `${title.slice(0, Math.floor(width / LETTER) - 1)}…`);
