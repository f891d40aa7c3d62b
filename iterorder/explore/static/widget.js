// The same page in the output of a notebook's cell: an anywidget, inside a shadow root so that no style crosses.

import { markup, styles } from "./assets.js";
import { Comm } from "./comm.js";
import { Page } from "./page.js";

export function render({ model, el }) {
  const host = el.appendChild(document.createElement("div"));
  // Keys that are typed here belong to the page, not to the commands of the notebook (d d deletes a cell).
  host.setAttribute("data-lm-suppress-shortcuts", "true");
  host.addEventListener("keydown", (event) => event.stopPropagation());
  const root = host.attachShadow({ mode: "open" });
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(styles);
  root.adoptedStyleSheets = [sheet];
  root.append(document.adoptNode(new DOMParser().parseFromString(markup, "text/html").getElementById("page")));
  const page = new Page(root, new Comm(model), {
    title: "Copy the view",
    ofTable: "It is of a CSV file: choose the file again in the new view.",
    read: () => model.get("view"),
    write: (query) => { model.set("view", query); model.save_changes(); },
    link: () => `Explorer(${JSON.stringify(model.get("view"))})`,
  });
  host.explorer = page.state;
  return () => page.stop();
}
