// The form: a labelled control for each entry of the view; what a system does not use is hidden.

const TITLES = {
  system: "System", loss: "Loss", step_size: "Step size", batch_size: "Batch size", ridge: "Ridge",
  sampling: "Sampling", lam: "λ", a: "a", sigma: "σ", N: "N", s: "Tilt s", order: "Second order",
  replicas: "Replicas", seed: "Seed", steps: "Steps", start: "Start", first: "Coordinate →", second: "Coordinate ↑",
};
const HINTS = {
  start: "One number for all coordinates, or one each: 1,-2",
  first: "The coordinate along the horizontal axis, from 0",
  second: "The coordinate along the vertical axis, from 0",
};
const PLANE = ["first", "second"];
const WIDE = ["system", "loss", "order"];
const ORDERS = { backward: "backward", "window:20": "sliding, 20 back", "anchored:50": "anchored at 50", forward: "forward" };

export class Controls {
  constructor(form, { systems, always, losses, defaults }, changed) {
    this.always = always;
    this.defaults = defaults;
    this.fields = {};
    form.replaceChildren();
    form.onsubmit = (event) => event.preventDefault();
    const titles = Object.fromEntries(Object.entries(systems).map(([name, { title }]) => [name, title]));
    const choices = { system: titles, loss: same(losses), sampling: same(["iid", "reshuffle", "cyclic"]), order: ORDERS };
    for (const [name, title] of Object.entries(TITLES)) {
      const field = choices[name] ? select(choices[name]) : number(defaults[name]);
      field.id = `control-${name}`;
      field.onchange = () => changed(name, choices[name] ? field.value : field.value.replaceAll(" ", ""));
      this.fields[name] = field;
      form.append(row(title, field, WIDE.includes(name), HINTS[name]));
    }
    this.fields.start.inputMode = "text";  // which has a comma on every screen's keyboard
    this.hint = Object.assign(document.createElement("p"), { className: "hint", textContent: HINTS.start });
    this.fields.start.parentElement.append(this.hint);
    this.file = Object.assign(document.createElement("input"), { type: "file", accept: ".csv,text/csv", id: "control-file" });
    form.append(row("CSV, last column the target", this.file, true));
  }

  show(view) {
    for (const [name, field] of Object.entries(this.fields)) {
      if (field.tagName === "SELECT" && ![...field.options].some((option) => option.value === String(view[name]))) {
        field.append(new Option(String(view[name]), String(view[name])));
      }
      if (field.getRootNode().activeElement !== field || field.tagName === "SELECT") field.value = view[name];
    }
  }

  offer(system, title) {
    const field = this.fields.system;
    if (![...field.options].some((option) => option.value === system)) field.append(new Option(title, system));
  }

  // names: what the system uses; dim: undefined where it is not known yet, and then coordinates that are set are shown.
  use(names, dim, view) {
    const inPlane = (name) => (dim === undefined ? String(view[name]) !== String(this.defaults[name]) : dim > 1);
    const isShown = (name) => (PLANE.includes(name) ? inPlane(name) : this.always.includes(name) || names.includes(name));
    for (const [name, field] of Object.entries(this.fields)) field.parentElement.hidden = !isShown(name);
    this.hint.hidden = !(dim > 1);
  }
}

const same = (names) => Object.fromEntries(names.map((name) => [name, name]));

function select(choices) {
  const field = document.createElement("select");
  for (const [value, title] of Object.entries(choices)) field.append(new Option(title, value));
  return field;
}

function number(value) {
  return Object.assign(document.createElement("input"), {
    type: "text", inputMode: "decimal", value: String(value), spellcheck: false,
  });
}

function row(title, field, wide, hint = "") {
  const made = document.createElement("div");
  made.className = wide ? "row wide" : "row";
  made.title = hint;
  const label = document.createElement("label");
  label.htmlFor = field.id;
  label.textContent = title;
  made.append(label, field);
  return made;
}
