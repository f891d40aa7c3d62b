// What theory knows of a view: the sure certificate in words, and numbers in a table.

import { label, signed } from "./numbers.js";

export function showCertificate(place, { reason, contraction, depth, tol }) {
  place.textContent = reason
    ? `No sure certificate: ${reason}.`
    : `Certificate: every map contracts by ${label(contraction)}, so from n* = ${depth.toLocaleString("en")} on a backward iterate moves by less than ${label(tol)}, surely.`;
}

export function showFacts(table, rows) {
  table.tBodies[0].replaceChildren(...rows.map((cells) => {
    const row = document.createElement("tr");
    row.append(...cells.map((cell) => Object.assign(document.createElement("td"), { textContent: signed(cell) })));
    return row;
  }));
}
