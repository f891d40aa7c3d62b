// The view: every control, kept in the fragment of the address, so that a link or a reload brings it back.

export function readView(defaults) {
  const view = { ...defaults };
  for (const [name, value] of new URLSearchParams(location.hash.slice(1))) {
    if (Object.hasOwn(defaults, name)) view[name] = value;
  }
  return view;
}

export function queryOf(view, defaults) {
  const given = Object.entries(view).filter(([name, value]) => String(value) !== String(defaults[name]));
  return new URLSearchParams(given.map(([name, value]) => [name, String(value)])).toString();
}

export function writeView(query) {
  history.replaceState(null, "", query ? `#${query}` : location.pathname);
}
