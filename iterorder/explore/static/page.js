// The page: the view decides what is asked, answers are drawn; frames are pulled, one at a time.

import { drawChart } from "./chart.js";
import { Connection } from "./connection.js";
import { Controls } from "./controls.js";
import { npz } from "./downloads.js";
import { showCertificate, showFacts } from "./facts.js";
import { readFrame } from "./frame.js";
import { label } from "./numbers.js";
import { drawPicture } from "./pictures.js";
import { drawRates } from "./rates.js";
import { Stability } from "./stability.js";
import { ORDER_COLORS, colorOfOrder, legend } from "./style.js";
import { Tables } from "./tables.js";
import { Taken } from "./taken.js";
import { showTraining } from "./training.js";
import { ofSystem, queryOf, readView } from "./view.js";

const SIDES = ["forward", "other"];
// Milliseconds within which changes of one control, as they come while typing, are one entry of the history.
const SUCCESSION = 1500;
const FREE_AXES = "the two axes have scales of their own: one range is more than 20 times the other";

export class Page {
  // root: the document or a shadow root with the elements of index.html; place: where the view is kept, { read, write
  // (a query, and whether it is a new entry), link, title, ofTable }.
  constructor(root, carrier, place) {
    this.$ = (id) => root.getElementById(id);
    this.place = place;
    // What tests and the curious may read; nothing reads ready, frames and drawing here.
    this.state = { frames: 0, drawing: 0, frame: null, scene: null, ready: false };
    Object.assign(this, { defaults: null, controls: null, view: null, charts: [], rateLines: [], training: showTraining(this.$, []) });
    Object.assign(this, { playing: false, wanted: null, pulling: false, opening: 0 });
    Object.assign(this, { systems: {}, dims: {}, last: { names: "", at: -Infinity } });
    this.tables = new Tables(this);
    this.stability = new Stability(this.$, (message) => this.ask(message), {
      now: () => ({ step_size: Number(this.view.step_size), batch_size: Number(this.view.batch_size) }),
      set: (values) => this.change(values),
    }, () => this.taken.offer());
    this.taken = new Taken(this.$, this);
    this.state.npz = () => npz(this.taken.numbers());
    this.state.svg = (what) => this.taken.text(what);
    this.listen(root);
    this.connection = new Connection(carrier, {
      opened: () => this.start(),
      lost: (words) => { this.state.ready = false; this.say(words); },
      busy: (words) => { this.$("busy").textContent = words; },
      waits: (words) => { if (words || this.waits) this.say(words); this.waits = Boolean(words); },
    });
  }

  listen(root) {
    const { $ } = this, dropping = (is) => $("page").classList.toggle("dropping", is);
    $("play").onclick = () => {
      this.setPlaying(!this.playing);
      if (this.playing && this.view) this.pull(Number($("step").value) >= this.steps() ? 0 : Number($("step").value));
    };
    $("step").oninput = () => this.pull(Number($("step").value));
    root.addEventListener("dragover", (event) => { event.preventDefault(); dropping(true); });
    root.addEventListener("dragleave", () => dropping(false));
    root.addEventListener("drop", (event) => {
      event.preventDefault();
      dropping(false);
      if (event.dataTransfer.files[0] && this.controls) this.tables.take(event.dataTransfer.files[0]);
    });
  }

  async start() {
    this.say("");
    const hello = await this.ask({ do: "hello" }).catch(() => null);
    if (!hello) return;
    this.defaults = hello.defaults;
    this.systems = hello.systems;
    this.controls = new Controls(this.$("controls"), hello, (name, value) => this.change({ [name]: value }));
    this.always = hello.always;
    const { file } = this.controls;
    file.onchange = () => file.files[0] && this.tables.take(file.files[0]);
    this.training = showTraining(this.$, hello.runs);
    this.taken.offer();
    await this.goTo(this.place.read());
  }

  // The page of a view that was not made with its controls.
  goTo(query) {
    if (!this.defaults) return null;
    this.view = readView(query, this.defaults);
    this.last.at = -Infinity;
    return this.open(false);
  }

  ask(message) { return this.connection.ask(message); }

  say(words) {
    this.$("message").textContent = words;
    this.$("message").hidden = !words;
  }

  // A system that the page did not know: { system, title, uses }.
  know(described) {
    this.systems[described.system] = described;
    this.controls.offer(described.system, described.title);
  }

  change(values) {
    const names = Object.keys(values).join(), at = performance.now();
    const asNew = names !== this.last.names || at - this.last.at > SUCCESSION;
    this.last = { names, at };
    const other = this.systems[values.system];
    this.view = { ...(other ? ofSystem(this.view, other, this.always, this.defaults) : this.view), ...values };
    return this.open(asNew);
  }

  write(asNew) {
    const query = queryOf(this.view, this.defaults);
    if (query !== this.place.read()) this.place.write(query, asNew);
    return query;
  }

  async open(asNew) {
    const mine = ++this.opening;
    this.state.ready = false;
    const query = this.write(asNew);
    this.showControls(this.systems[this.view.system]?.uses || []);
    const scene = await this.ask({ do: "open", view: query }).catch(() => null);
    if (!scene || mine !== this.opening) return;
    if (scene.kind !== "opened") {
      this.setPlaying(false);
      if (scene.kind !== "missing") this.say(scene.text);
      else if (await this.tables.sendAgain(scene.system) && mine === this.opening) await this.open(false);
      return;
    }
    this.tables.wanted = null;
    this.leave(scene);
    this.show(scene);
    await this.pull(Math.min(Number(this.$("step").value) || this.steps(), this.steps()));
    const theory = await this.ask({ do: "theory" }).catch(() => null);
    if (mine !== this.opening) return;
    if (theory && theory.kind === "theory") this.showTheory(theory);
    this.state.ready = true;
  }

  // What a link sets and its system has no use for is told, and no longer part of the view.
  leave({ unused, title }) {
    for (const name of unused) this.view[name] = this.defaults[name];
    this.write(false);
    this.say(unused.length ? `The link sets ${unused.join(" and ")}, for which ${title} has no use: left out.` : "");
  }

  steps() { return Number(this.view.steps); }

  isOfTable() { return String(this.view?.system).startsWith("csv:"); }

  color(side) { return side === "forward" ? ORDER_COLORS.forward : colorOfOrder(String(this.view.order)); }

  titles() { return ["Forward", this.$("other-name").textContent]; }

  // What is said below the pictures of replicas, on the page and in a file.
  pictureKeys() {
    const { scene } = this.state, isFree = scene.coordinates.length > 1 && !scene.equal_axes;
    return [...(scene.law ? [{ color: "#1c2126", title: "exact stationary law" }] : []), ...(isFree ? [{ title: FREE_AXES }] : [])];
  }

  showControls(uses) {
    this.controls.show(this.view);
    this.controls.use(uses, this.dims[this.view.system], this.view);
  }

  show(scene) {
    const { $ } = this;
    this.state.scene = scene;
    this.know({ system: this.view.system, title: scene.title, uses: scene.uses });
    this.dims[this.view.system] = scene.dim;
    this.showControls(scene.uses);
    $("views").hidden = false;
    $("system-title").textContent = scene.title;
    $("other-name").textContent = $("control-order").selectedOptions[0].textContent.replace(/^./, (c) => c.toUpperCase());
    $("page").style.setProperty("--backward", this.color("other"));
    $("step").max = this.view.steps;
    $("python").textContent = scene.python;
    $("command").textContent = scene.command;
    $("command").hidden = !scene.command;
    $("paths-title").textContent = `Three replicas, their whole paths${scene.dim > 1 ? `, coordinate ${scene.coordinates[0]}` : ""}`;
    legend($("picture-legend"), this.pictureKeys());
    $("picture-legend").append("○ the three replicas of the paths below");
    this.showPaths(scene);
    this.showRates(null);
    showCertificate($("certificate"), scene.certificate);
    showFacts($("facts"), []);
    this.stability.show(scene);
    this.taken.offer();
  }

  showPaths(scene) {
    const both = scene.paths.flat().map((path) => path[0]).flat().filter(Number.isFinite);
    const margin = 0.05 * (Math.max(...both) - Math.min(...both)) || 1;
    const yrange = [Math.min(...both) - margin, Math.max(...both) + margin];
    this.charts = SIDES.map((side, k) => drawChart(this.$(`${side}-paths`),
      scene.paths[k].map((path, r) => ({ y: path[0], color: this.color(side), width: r ? 1.1 : 2, opacity: r ? 0.6 : 1 })),
      { yrange, height: 190, marker: true, name: `Three ${side === "forward" ? "forward" : this.view.order} paths over n` }));
  }

  showRates(theory) {
    const { chart, lines } = drawRates(this.$("rates"), this.state.scene, this.view, theory, this.color("other"));
    this.charts[2] = chart;
    this.rateLines = lines;
    chart.mark(Number(this.$("step").value));
    legend(this.$("rates-legend"), lines);
    this.$("rates-legend").append("all root mean squares over replicas");
  }

  showTheory(theory) {
    showFacts(this.$("facts"), theory.rows);
    this.showRates(theory);
  }

  // The latest n that is wanted, while a frame is on its way: what lies between is left out.
  async pull(n) {
    this.wanted = n;
    if (this.pulling) return;
    this.pulling = true;
    try {
      while (this.wanted !== null) {
        const asked = this.wanted;
        this.wanted = null;
        const answer = await this.ask({ do: "frame", n: asked });
        if (!(answer instanceof ArrayBuffer)) continue;
        const begun = performance.now();
        this.draw(readFrame(answer));
        this.state.drawing += performance.now() - begun;
        if (this.playing) await new Promise(requestAnimationFrame);
        if (this.playing && this.wanted === null) this.wanted = asked >= this.steps() ? 0 : asked + 1;
      }
    } catch { this.setPlaying(false); } finally { this.pulling = false; }
  }

  draw(frame) {
    const { scene } = this.state, { $ } = this;
    if (scene.coordinates.length !== (frame.rows ? 2 : 1)) return;
    this.state.frame = frame;
    // Both pictures first: each asks how wide it is, and words that were changed before would have to be laid out for it.
    for (const [k, side] of SIDES.entries()) {
      drawPicture($(`${side}-picture`), frame[side], frame, scene, this.color(side), scene.paths[k]);
    }
    for (const side of SIDES) {
      const part = frame[side];
      const shown = (values) => values.slice(0, scene.coordinates.length).map(label).join(",\u00a0");
      $(`${side}-numbers`).textContent = `mean\u00a0${shown(part.mean)} · sd\u00a0${shown(part.sd)}` + (part.outside ? ` · ${part.outside}\u00a0outside` : "");
    }
    $("step").value = frame.n;
    $("step-value").textContent = frame.n;
    this.charts.forEach((chart) => chart.mark(frame.n));
    if (!this.state.frames++) this.taken.offer();
  }

  setPlaying(is) {
    this.playing = is;
    this.$("play").textContent = is ? "Pause" : "Play";
  }

  stop() {
    this.setPlaying(false);
    this.connection.stop();
  }
}
