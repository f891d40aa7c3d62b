// Colours of the orders, those of iterorder/plotting.py (a test compares them), and keys below the charts.

export const ORDER_COLORS = { forward: "#0072B2", backward: "#D55E00", sliding: "#CC79A7", anchored: "#009E73", theory: "#000000", coupling: "#6A51A3" };

export function colorOfOrder(order) {
  return ORDER_COLORS[order.startsWith("window") ? "sliding" : order.startsWith("anchored") ? "anchored" : order];
}

export function legend(place, entries) {
  place.replaceChildren(...entries.map(({ color, title, dashed }) => {
    const entry = document.createElement("span"), key = document.createElement("span");
    entry.className = "entry";
    if (!color) { entry.append(title); return entry; }  // words alone
    key.className = dashed ? "key dashed" : "key";
    key.style.borderTopColor = color;
    entry.append(key, title);
    return entry;
  }));
}
