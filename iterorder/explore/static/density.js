// Counts in the plane as an image, a pixel for each bin: white to the colour of the order, and on to a dark shade of it.

const image = { canvas: null, pixels: null };

export function density(counts, { columns, rows }, color) {
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

export const channels = (color) => [1, 3, 5].map((k) => parseInt(color.slice(k, k + 2), 16));

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
