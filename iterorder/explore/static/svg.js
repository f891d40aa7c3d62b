// Elements of SVG. Words become text, whatever they hold.

const SPACE = "http://www.w3.org/2000/svg";

export function element(name, attributes) {
  const made = document.createElementNS(SPACE, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, String(value));
  return made;
}

export function words(content, attributes) {
  const made = element("text", attributes);
  made.textContent = readable(content);
  return made;
}

export function drawing(width, height, name) {
  return element("svg", {
    viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": readable(name), "font-family": "sans-serif", "font-size": 11.5,
  });
}

// XML has no place for most control characters, even escaped: a file with one in it would not be read.
const readable = (content) => String(content).replace(/[^\t\n\r\u{20}-\u{d7ff}\u{e000}-\u{fffd}\u{10000}-\u{10ffff}]/gu, "\ufffd");
