// The form: a labelled control for each entry of the view; what a system does not use is hidden.

const TITLES = {
  system: "System", loss: "Loss", step_size: "Step size", batch_size: "Batch size", ridge: "Ridge",
  sampling: "Sampling", lam: "λ", a: "a", sigma: "σ", N: "N", s: "Tilt s", order: "Second order",
  replicas: "Replicas", seed: "Seed", steps: "Steps", start: "Start", first: "Coordinate", second: "and",
};
const ALWAYS = ["system", "order", "replicas", "seed", "steps", "start"];
const WIDE = ["system"];
const ORDERS = { backward: "backward", "window:20": "sliding, 20 back", "anchored:50": "anchored at 50", forward: "forward" };

export class Controls {
  constructor(form, { systems, losses, defaults }, changed) {
    this.fields = {};
    form.replaceChildren();
    form.onsubmit = (event) => event.preventDefault();
    const choices = { system: systems, loss: same(losses), sampling: same(["iid", "reshuffle", "cyclic"]), order: ORDERS };
    for (const [name, title] of Object.entries(TITLES)) {
      const field = choices[name] ? select(choices[name]) : number(defaults[name]);
      field.id = `control-${name}`;
      field.onchange = () => changed(name, field.value);
      this.fields[name] = field;
      form.append(row(title, field, WIDE.includes(name)));
    }
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

  use(names, dim) {
    const shown = new Set([...ALWAYS, ...names, ...(dim > 1 ? ["first", "second"] : [])]);
    for (const [name, field] of Object.entries(this.fields)) field.parentElement.hidden = !shown.has(name);
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

function row(title, field, wide) {
  const made = document.createElement("div");
  made.className = wide ? "row wide" : "row";
  const label = document.createElement("label");
  label.htmlFor = field.id;
  label.textContent = title;
  made.append(label, field);
  return made;
}
