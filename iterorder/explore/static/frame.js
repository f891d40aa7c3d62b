// A frame as the server packs it (iterorder/explore/frames.py).

export function readFrame(buffer) {
  const [n, columns, rows, ...rest] = new Uint32Array(buffer, 0, 6);
  const numbers = new Float64Array(buffer, 24, 8);
  const size = columns * (rows || 1);
  const part = (k) => ({
    counts: new Uint32Array(buffer, 88 + 4 * size * k, size),
    outside: rest[k],
    mean: [numbers[4 * k], numbers[4 * k + 2]],
    sd: [numbers[4 * k + 1], numbers[4 * k + 3]],
  });
  return { n, columns, rows, replicas: rest[2], forward: part(0), other: part(1) };
}
