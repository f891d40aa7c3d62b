// The page: the view decides what is asked, answers are drawn; frames are pulled, one at a time.

import { Connection } from "./connection.js";
import { drawChart, element } from "./chart.js";
import { Controls } from "./controls.js";
import { npz, save, savePng, saveSvg } from "./downloads.js";
import { readFrame } from "./frame.js";
import { drawPicture, label } from "./pictures.js";
import { ORDER_COLORS, colorOfOrder, legend } from "./style.js";
import { showTraining } from "./training.js";
import { queryOf, readView, writeView } from "./view.js";

const $ = (id) => document.getElementById(id);
// What tests and the curious may read; nothing reads it here.
const state = (window.explorer = { frames: 0, drawing: 0, frame: null, scene: null, ready: false });
let defaults = null, controls = null, view = null, charts = [], playing = false, wanted = null, pulling = false, opening = 0;

const connection = new Connection({ opened: start, lost });

async function start() {
  say("");
  const hello = await connection.ask({ do: "hello" });
  defaults = hello.defaults;
  view = readView(defaults);
  controls = new Controls($("controls"), hello, (name, value) => change({ [name]: value }));
  controls.file.onchange = () => controls.file.files[0] && drop(controls.file.files[0]);
  showTraining(hello.runs);
  await open();
}

function lost(found) {
  state.ready = false;
  say(found === "another"
    ? "A new server runs at this address. Open the address that it printed: this page then goes on by itself."
    : "The server does not answer. It may have been stopped: start iterorder explore again. Trying to reconnect …");
}

function say(words) {
  $("message").textContent = words;
  $("message").hidden = !words;
}

function change(values) {
  view = { ...view, ...values };
  return open();
}

async function open() {
  const mine = ++opening;
  state.ready = false;
  const query = queryOf(view, defaults);
  writeView(query);
  controls.show(view);
  let scene;
  try {
    scene = await connection.ask({ do: "open", view: query });
  } catch { return; }
  if (mine !== opening) return;
  if (scene.kind === "error") { say(scene.text); playing = false; showPlaying(); return; }
  say("");
  show(scene);
  await pull(Math.min(Number($("step").value) || scene_steps(), scene_steps()));
  const theory = await connection.ask({ do: "theory" }).catch(() => null);
  if (mine === opening && theory && theory.kind === "theory") showTheory(theory);
  if (mine === opening) state.ready = true;
}

const scene_steps = () => Number(view.steps);

function show(scene) {
  state.scene = scene;
  if (scene.title) controls.offer(view.system, scene.title);
  controls.show(view);
  controls.use(scene.uses, scene.dim);
  $("system-title").textContent = scene.title;
  $("other-name").textContent = $("control-order").selectedOptions[0].textContent.replace(/^./, (c) => c.toUpperCase());
  document.documentElement.style.setProperty("--backward", otherColor());
  $("step").max = view.steps;
  $("python").textContent = scene.python;
  $("command").textContent = scene.command;
  legend($("picture-legend"), scene.law ? [{ color: "#1c2126", title: "exact stationary law · " }] : []);
  $("picture-legend").append("○ the three replicas of the paths below");
  const both = scene.paths.flat().map((path) => path[0]).flat().filter(Number.isFinite);
  const margin = 0.05 * (Math.max(...both) - Math.min(...both)) || 1;
  const yrange = [Math.min(...both) - margin, Math.max(...both) + margin];
  charts = ["forward", "other"].map((side, k) => drawChart($(`${side}-paths`),
    scene.paths[k].map((path, r) => ({ y: path[0], color: color(side), width: r ? 1.1 : 2, opacity: r ? 0.6 : 1 })),
    { yrange, marker: true, name: `Three ${side === "forward" ? "forward" : view.order} paths over n` }));
  showRates(null);
  const certificate = scene.certificate;
  $("certificate").textContent = certificate.reason
    ? `No sure certificate: ${certificate.reason}.`
    : `Certificate: every map contracts by ${certificate.contraction.toPrecision(6)}, so from n* = ${certificate.depth} on a backward iterate moves by less than ${certificate.tol}, surely.`;
  $("facts").tBodies[0].replaceChildren();
  $("stability").replaceChildren();
  const rows = scene.uses.includes("batch_size");
  $("stability-button").hidden = !rows;
  $("stability-text").textContent = rows ? "For each batch size, the step size at which second moments are lost." : "Drawn for linear models: choose one, or drop a CSV file on the page.";
}

const otherColor = () => colorOfOrder(String(view.order));
const color = (side) => (side === "forward" ? ORDER_COLORS.forward : otherColor());

function showRates(theory) {
  const scene = state.scene;
  const shifted = (y) => [NaN, ...y.map((v) => v ?? NaN)];
  const lines = [{ y: shifted(scene.increments[0]), color: ORDER_COLORS.forward, title: "forward increments" },
    { y: shifted(scene.increments[1]), color: otherColor(), title: `${view.order} increments` }];
  if (scene.coupling) lines.push({ y: scene.coupling, color: ORDER_COLORS.coupling, title: "distance of two starts under the same maps"  });
  const along = (from, rate) => Array.from({ length: Number(view.steps) + 1 }, (_, n) => from * Math.exp(rate * n));
  const low = Math.min(...lines.flatMap((line) => line.y).filter((v) => v > 0)), high = Math.max(...lines.flatMap((line) => line.y).filter(Number.isFinite));
  if (theory && theory.rate !== null) lines.push({ y: along(lines[1].y[1], theory.rate), color: "#000000", dashed: true, width: 1.1, title: `Lyapunov exponent ${label(Number(theory.rate.toPrecision(4)))}` });
  if (theory && theory.mean_square_rate !== null && scene.coupling) lines.push({ y: along(scene.coupling[0], theory.mean_square_rate), color: "#6b7580", dashed: true, width: 1.1, title: `mean-square rate ${label(Number(theory.mean_square_rate.toPrecision(4)))}` });
  charts[2] = drawChart($("rates"), lines, { width: 1150, height: 300, log: true, marker: true, yrange: [low / 2, high * 2], name: "Increments and coupling over n, on a logarithmic axis" });
  charts[2].mark(Number($("step").value));
  legend($("rates-legend"), lines);
  $("rates-legend").append(" · all root mean squares over replicas");
}

function showTheory(theory) {
  const rows = theory.rows.map((cells) => {
    const row = document.createElement("tr");
    row.append(...cells.map((cell) => Object.assign(document.createElement("td"), { textContent: cell })));
    return row;
  });
  $("facts").tBodies[0].replaceChildren(...rows);
  showRates(theory);
}

// The latest n that is wanted, while a frame is on its way: what lies between is left out.
async function pull(n) {
  wanted = n;
  if (pulling) return;
  pulling = true;
  try {
    while (wanted !== null) {
      const asked = wanted;
      wanted = null;
      const answer = await connection.ask({ do: "frame", n: asked });
      if (!(answer instanceof ArrayBuffer)) continue;
      const begun = performance.now();
      draw(readFrame(answer));
      state.drawing += performance.now() - begun;
      if (playing) await new Promise(requestAnimationFrame);
      if (playing && wanted === null) wanted = asked >= scene_steps() ? 0 : asked + 1;
    }
  } catch { playing = false; showPlaying(); } finally { pulling = false; }
}

function draw(frame) {
  const scene = state.scene;
  if (scene.coordinates.length !== (frame.rows ? 2 : 1)) return;
  state.frame = frame;
  for (const [k, side] of ["forward", "other"].entries()) {
    const part = frame[side];
    drawPicture($(`${side}-picture`), part, frame, scene, color(side), scene.paths[k]);
    const shown = (values) => values.slice(0, scene.coordinates.length).map((v) => v.toPrecision(6)).join(", ");
    $(`${side}-numbers`).textContent = `mean ${shown(part.mean)} · sd ${shown(part.sd)}` + (part.outside ? ` · ${part.outside} outside` : "");
  }
  $("step").value = frame.n;
  $("step-value").textContent = frame.n;
  charts.forEach((chart) => chart.mark(frame.n));
  state.frames++;
}

function showPlaying() { $("play").textContent = playing ? "Pause" : "Play"; }

$("play").onclick = () => {
  playing = !playing;
  showPlaying();
  if (playing && view) pull(Number($("step").value) >= scene_steps() ? 0 : Number($("step").value));
};
$("step").oninput = () => pull(Number($("step").value));

$("stability-button").onclick = async () => {
  $("stability-text").textContent = "Computing …";
  const found = await connection.ask({ do: "stability" }).catch(() => null);
  if (!found || found.kind !== "stability" || found.reason) { $("stability-text").textContent = (found && (found.reason || found.text)) || "The connection is lost."; return; }
  showStability(found);
};

function showStability(found) {
  const known = found.boundaries.map((h, k) => [h, found.batch_sizes[k]]).filter(([h]) => h !== null);
  $("stability-text").textContent = "Mean-square stable left of the line. A click sets step size and batch size; the circle is this view.";
  const low = Math.min(...known.map(([h]) => h), Number(view.step_size)) / 4, high = Math.max(...known.map(([h]) => h), Number(view.step_size)) * 2;
  const top = found.batch_sizes.at(-1);
  const chart = drawChart($("stability"), [{ x: known.map(([h]) => h), y: known.map(([, b]) => Math.log2(b)), color: "#000000" }],
    { logx: true, xrange: [low, high], yrange: [-0.4, Math.log2(top) + 0.4], xlabel: "step size", name: "Stability over step size and log2 of the batch size" });
  for (const text of chart.svg.querySelectorAll('text[text-anchor="end"]')) {
    if (/^\d+$/.test(text.textContent)) text.textContent = String(2 ** Number(text.textContent));
  }
  chart.svg.append(element("circle", { cx: chart.x(Number(view.step_size)), cy: chart.y(Math.log2(Number(view.batch_size))), r: 6, fill: "#ffffff", stroke: "#00588a", "stroke-width": 2.5 }));
  chart.svg.onclick = async (event) => {
    const at = new DOMPoint(event.clientX, event.clientY).matrixTransform(chart.svg.getScreenCTM().inverse());
    const share = (at.x - chart.x(low)) / (chart.x(high) - chart.x(low));
    const step = Number((low * (high / low) ** Math.min(1, Math.max(0, share))).toPrecision(3));
    const level = Math.round((at.y - chart.y(0)) / (chart.y(1) - chart.y(0)));
    await change({ step_size: step, batch_size: 2 ** Math.min(Math.log2(top), Math.max(0, level)) });
    showStability(found);
  };
}

async function drop(file) {
  const answer = await connection.ask({ do: "table", name: file.name, text: await file.text() }).catch(() => null);
  if (!answer || answer.kind !== "table") { say(answer ? answer.text : "The connection is lost."); return; }
  controls.offer(answer.system, answer.title);
  await change({ system: answer.system });
}

document.ondragover = (event) => { event.preventDefault(); document.body.classList.add("dropping"); };
document.ondragleave = () => document.body.classList.remove("dropping");
document.ondrop = (event) => {
  event.preventDefault();
  document.body.classList.remove("dropping");
  if (event.dataTransfer.files[0] && controls) drop(event.dataTransfer.files[0]);
};
window.onhashchange = () => { if (defaults) { view = readView(defaults); open(); } };

async function copy(words) {
  await navigator.clipboard.writeText(words).then(() => "Copied.", () => "Copying is not allowed here.").then((told) => { $("copied").textContent = told; });
}
$("copy-link").onclick = () => copy(location.href);
$("copy-python").onclick = () => copy($("python").textContent);
$("save-png").onclick = () => savePng([$("forward-picture"), $("other-picture")]);
$("save-svg").onclick = () => charts[2] && saveSvg(charts[2].svg);
$("save-npz").onclick = () => save("iterorder.npz", npz(numbers()), "application/zip");

function numbers() {
  const { scene, frame } = state;
  const shape = frame.rows ? [frame.columns, frame.rows] : [frame.columns];
  return {
    n: [[frame.n], [1], "<u4"], ranges: [scene.ranges.flat(), [scene.ranges.length, 2], "<f8"],
    forward_counts: [frame.forward.counts, shape, "<u4"], other_counts: [frame.other.counts, shape, "<u4"],
    forward_increments: [scene.increments[0], [scene.increments[0].length], "<f8"],
    other_increments: [scene.increments[1], [scene.increments[1].length], "<f8"],
  };
}
state.npz = () => npz(numbers());
