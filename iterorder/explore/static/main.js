// The page in a tab of its own: a WebSocket to the server, and the view in the fragment of the address.

import { Page } from "./page.js";
import { Socket } from "./socket.js";

const address = {
  title: "Copy the link",
  ofTable: "It is of a CSV file: while this server runs it shows the view by itself, after that the page asks for the file again.",
  read: () => location.hash.slice(1),
  // asNew: an entry of the history, to which Back returns; otherwise it takes the place of the last.
  write: (query, asNew) => history[asNew ? "pushState" : "replaceState"](null, "", query ? `#${query}` : location.pathname),
  link: () => location.href,
};

const page = new Page(document, new Socket(), address);
window.explorer = page.state;
window.onhashchange = () => page.goTo(address.read());
