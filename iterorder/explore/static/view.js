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
  return new URLSearchParams(given.map(([name, value]) => [name, String(value)])).toString();
}
