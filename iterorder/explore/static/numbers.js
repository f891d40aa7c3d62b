// Numbers as they are read: six digits, a minus that is one, and round ones along an axis.

export const label = (value) => signed(String(Number(value.toPrecision(6))));

export const signed = (text) => text.replace(/-(?=\d)/g, "−");

export function ticks(low, high, wanted) {
  const raw = (high - low) / wanted, power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((m) => m * power).find((candidate) => candidate >= raw) || raw;
  const found = [];
  for (let k = Math.ceil(low / step); k * step <= high && found.length < 20; k++) found.push(k * step);
  return found;
}

// The most, up to six, whose labels stand apart on an axis of that many pixels.
const LETTER = 7.5, APART = 14;

export function fittingTicks(low, high, across) {
  for (let wanted = 6; wanted > 1; wanted--) {
    const found = ticks(low, high, wanted), widest = LETTER * Math.max(...found.map((tick) => label(tick).length)) + APART;
    if (found.length < 2 || widest <= (across * (found[1] - found[0])) / (high - low)) return found;
  }
  return ticks(low, high, 1);
}
