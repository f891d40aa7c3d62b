// The view: every control as a query, kept in a place of the page or of the notebook, so that it comes back.

export function readView(query, defaults) {
  const view = { ...defaults };
  for (const [name, value] of new URLSearchParams(query)) {
    if (Object.hasOwn(defaults, name)) view[name] = value;
  }
  return view;
}

export function queryOf(view, defaults) {
  const given = Object.entries(view).filter(([name, value]) => String(value) !== String(defaults[name]));
  const text = new URLSearchParams(given.map(([name, value]) => [name, String(value)])).toString();
  return text.replaceAll("%2C", ",").replaceAll("%3A", ":");  // as Python writes it
}

// The view of another system: what that has no use for, and what is of the coordinates of this one, is as at first.
export function ofSystem(view, { system, uses }, always, defaults) {
  const kept = (name) => (always.includes(name) || uses.includes(name)) && name !== "first" && name !== "second"
    && !(name === "start" && String(view.start).includes(","));
  const values = Object.keys(defaults).map((name) => [name, kept(name) ? view[name] : defaults[name]]);
  return { ...Object.fromEntries(values), system };
}
