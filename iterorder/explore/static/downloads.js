// Files of what is seen: SVG, PNG, and the numbers as NumPy's npz (a zip, stored).

export function save(name, parts, type) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob(parts, { type }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

export function saveSvg(name, svg) {
  save(`${name}.svg`, [textOf(svg)], "image/svg+xml");
}

// Twice the size of the SVG, which fills the canvas.
export async function savePng(name, svg) {
  const { width, height } = svg.viewBox.baseVal;
  const url = URL.createObjectURL(new Blob([textOf(svg)], { type: "image/svg+xml" }));
  const image = Object.assign(new Image(2 * width, 2 * height), { src: url });
  await image.decode();
  const canvas = Object.assign(document.createElement("canvas"), { width: 2 * width, height: 2 * height });
  canvas.getContext("2d").drawImage(image, 0, 0, 2 * width, 2 * height);
  URL.revokeObjectURL(url);
  const blob = await new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
  save(`${name}.png`, [blob], "image/png");
  return canvas;
}

export const textOf = (svg) => new XMLSerializer().serializeToString(svg);

// arrays: {name: [values, shape, "<f8" | "<u4"]}
export function npz(arrays) {
  const files = Object.entries(arrays).map(([name, [values, shape, kind]]) => [`${name}.npy`, npy(values, shape, kind)]);
  return zip(files);
}

function npy(values, shape, kind) {
  const tuple = shape.length === 1 ? `(${shape[0]},)` : `(${shape.join(", ")})`;
  let header = `{'descr': '${kind}', 'fortran_order': False, 'shape': ${tuple}, }`;
  header += " ".repeat(63 - ((10 + header.length) % 64)) + "\n";
  const data = kind === "<f8" ? Float64Array.from(values, (v) => v ?? NaN) : Uint32Array.from(values);
  const made = new Uint8Array(10 + header.length + data.byteLength);
  made.set([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0, header.length & 255, header.length >> 8]);
  made.set(new TextEncoder().encode(header), 10);
  made.set(new Uint8Array(data.buffer), 10 + header.length);
  return made;
}

function zip(files) {
  const parts = [], index = [];
  let offset = 0, indexed = 0;
  for (const [name, data] of files) {
    const title = new TextEncoder().encode(name);
    const common = [20, 0, 0, 0, 0, 0, 0, 0, 0x21, 0, ...u32(crc32(data)), ...u32(data.length), ...u32(data.length), title.length, 0, 0, 0];
    parts.push(new Uint8Array([0x50, 0x4b, 3, 4, ...common]), title, data);
    index.push(new Uint8Array([0x50, 0x4b, 1, 2, 20, 0, ...common, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, ...u32(offset)]), title);
    offset += 30 + title.length + data.length;
    indexed += 46 + title.length;
  }
  const n = files.length;
  return [...parts, ...index, new Uint8Array([0x50, 0x4b, 5, 6, 0, 0, 0, 0, n, 0, n, 0, ...u32(indexed), ...u32(offset), 0, 0])];
}

const u32 = (value) => [value & 255, (value >>> 8) & 255, (value >>> 16) & 255, (value >>> 24) & 255];

function crc32(data) {
  let crc = -1;
  for (const byte of data) {
    crc ^= byte;
    for (let k = 0; k < 8; k++) crc = (crc >>> 1) ^ (0xedb88320 & -(crc & 1));
  }
  return ~crc >>> 0;
}
