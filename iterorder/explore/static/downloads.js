// Files of what is seen: a PNG of the pictures, an SVG of the curves, and the numbers as NumPy's npz (a zip, stored).

export function save(name, parts, type) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob(parts, { type }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

export function savePng(canvases) {
  const [first, second] = canvases;
  const whole = new OffscreenCanvas(first.width + second.width, first.height);
  const context = whole.getContext("2d");
  context.drawImage(first, 0, 0);
  context.drawImage(second, first.width, 0);
  return whole.convertToBlob({ type: "image/png" }).then((blob) => save("iterorder.png", [blob], "image/png"));
}

export function saveSvg(svg) {
  save("iterorder.svg", [new XMLSerializer().serializeToString(svg)], "image/svg+xml");
}

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
