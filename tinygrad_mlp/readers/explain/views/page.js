
"use strict";
// The page's script. It reads the tape from the JSON in the page, and shows one step of it at a time:
// first each entry forward, then each op of the walk back, then what the leaves are left with.

const data = JSON.parse(document.getElementById("data").textContent);
const byId = (id) => document.getElementById(id);

const steps = [
  ...data.entries.map((entry, i) => ({ kind: "forward", entry: i })),
  ...data.back.map((back, i) => ({ kind: "back", entry: back.entry, turn: i })),
  { kind: "end", entry: null },
];
// An input is the number of an entry, or a constant with a name and a value of its own.
for (const entry of data.entries) {
  entry.inputs = entry.inputs.map((x) => (typeof x === "number" ? data.entries[x] : x));
}

const forwardSteps = data.entries.length;
const turnOf = new Map(data.back.map((back, i) => [back.entry, i]));

// For each entry, what its cotangent has grown to, and at which turn of the walk back.
const growth = data.entries.map(() => []);
data.back.forEach((back, turn) => {
  if (turn === 0) growth[back.entry].push({ turn, array: back.arrives });
  for (const leaving of back.leaves) growth[leaving.entry].push({ turn, array: leaving.total });
});

function grown(entry, turn) {
  return growth[entry].filter((g) => g.turn <= turn);
}

// The turn of the walk back that a step is at: -1 before it, and the last one at the end.
function turnAt(step) {
  if (step.kind === "forward") return -1;
  return step.kind === "back" ? step.turn : data.back.length - 1;
}

// Elements. Text goes in as text, so that no name is ever read as markup.

function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name in element && name !== "list") element[name] = value;
    else element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}

function inNamespace(space, tag, attributes = {}, ...children) {
  const element = document.createElementNS(space, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

const svg = (...rest) => inNamespace("http://www.w3.org/2000/svg", ...rest);

// MathML comes as [tag, attributes?, ...children].
function typeset(formula) {
  if (typeof formula === "string") return document.createTextNode(formula);
  const [tag, ...rest] = formula;
  const plain = rest.length > 0 && !Array.isArray(rest[0]) && typeof rest[0] === "object";
  const attributes = plain ? rest.shift() : {};
  return inNamespace("http://www.w3.org/1998/Math/MathML", tag, attributes, ...rest.map(typeset));
}

const alttext = (formula) => formula[1].alttext;
const formulaLine = (formula) => make("div", { className: "formula" }, typeset(formula));

// Colours of the theme, as [red, green, blue].

let colours = {};

function readColours() {
  const style = getComputedStyle(document.documentElement);
  for (const name of ["zero", "negative", "positive", "odd", "ink", "paper"]) {
    const hex = style.getPropertyValue(`--${name}`).trim();
    colours[name] = [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16));
  }
}

function colour(value, largest) {
  if (typeof value !== "number") return colours.odd; // nan or an infinity
  const share = largest > 0 ? Math.abs(value) / largest : 0;
  const end = value < 0 ? colours.negative : colours.positive;
  return colours.zero.map((z, i) => Math.round(z + (end[i] - z) * share));
}

function largestOf(array) {
  if (array.largest === undefined) {
    array.largest = 0;
    for (const v of array.cells) {
      if (typeof v === "number") array.largest = Math.max(array.largest, Math.abs(v));
    }
  }
  return array.largest;
}

// Heatmaps.

function paint(canvas, array, width, height, withNumbers) {
  const ratio = window.devicePixelRatio || 1;
  canvas.width = Math.max(1, Math.round(width * ratio));
  canvas.height = Math.max(1, Math.round(height * ratio));
  canvas.style.width = `${width}px`;
  canvas.style.height = `${height}px`;
  const context = canvas.getContext("2d");
  const { rows, columns, cells } = array;
  const largest = largestOf(array);
  for (let row = 0; row < rows; row++) {
    const top = Math.round((row * canvas.height) / rows);
    const bottom = Math.round(((row + 1) * canvas.height) / rows);
    for (let column = 0; column < columns; column++) {
      const left = Math.round((column * canvas.width) / columns);
      const right = Math.round(((column + 1) * canvas.width) / columns);
      const value = cells[row * columns + column];
      const shade = colour(value, largest);
      context.fillStyle = `rgb(${shade.join()})`;
      context.fillRect(left, top, Math.max(right - left, 1), Math.max(bottom - top, 1));
      if (withNumbers) {
        const bright = shade[0] * 0.3 + shade[1] * 0.59 + shade[2] * 0.11 > 128;
        context.fillStyle = bright ? "#000" : "#fff";
        context.font = `${12 * ratio}px system-ui, sans-serif`;
        context.textAlign = "center";
        context.textBaseline = "middle";
        context.fillText(short(value), (left + right) / 2, (top + bottom) / 2);
      }
    }
  }
}

const short = (value) => (typeof value === "number" ? String(Number(value.toPrecision(4))) : value);

function sizeOf(array) {
  const { rows, columns } = array;
  if (columns <= 6 && rows <= 8) return [columns * 68, rows * 26, true];
  const side = (n, most) => Math.max(24, Math.min(most, n * 16));
  return [side(columns, 280), side(rows, 140), false];
}

function facts(array) {
  if (array.shape.length === 0) return String(array.cells[0]);
  const [down, across] = array.block;
  const means = down * across > 1 ? ` · each cell the mean of up to ${down}×${across} entries` : "";
  return `${array.size} · ${array.range} · norm ${short(array.norm)}${means}`;
}

// Where in the array a row and a column of the cells are: the last axis goes across.
function placeOf(array, row, column) {
  const [down, across] = array.block;
  const rows = array.shape.slice(0, -1);
  const columns = array.shape.length ? array.shape[array.shape.length - 1] : 1;
  if (down * across > 1) {
    const total = rows.reduce((a, b) => a * b, 1);
    const span = (i, step, n) => {
      const last = Math.min((i + 1) * step, n) - 1;
      return last === i * step ? `${last}` : `${i * step}–${last}`;
    };
    const vertical = rows.length ? `rows ${span(row, down, total)}, ` : "";
    return `${vertical}columns ${span(column, across, columns)}: mean`;
  }
  const index = [];
  for (let axis = rows.length - 1; axis >= 0; axis--) {
    index.unshift(row % rows[axis]);
    row = Math.floor(row / rows[axis]);
  }
  if (array.shape.length) index.push(column);
  return index.length ? `[${index.join(", ")}] =` : "=";
}

// A heatmap whose cells can be read by pointing, or by the arrow keys once it has the focus.
function heatmap(name, number) {
  if (number === null) {
    return make("figure", {}, make("figcaption", {}, typeset(name)),
      make("p", { className: "facts" }, "no longer held"));
  }
  const array = data.arrays[number];
  const read = make("output", { className: "read" }, "point at a cell to read it");
  const figure = make("figure", {}, make("figcaption", {}, typeset(name)));
  figure.dataset.name = alttext(name);
  if (array.cells.length) {
    const [width, height, withNumbers] = sizeOf(array);
    const canvas = make("canvas");
    paint(canvas, array, width, height, withNumbers);
    const box = make("div", {
      className: "heat", tabIndex: 0, role: "application", "aria-roledescription": "heatmap",
      "aria-label": `${alttext(name)}: ${facts(array)}. Arrow keys read its cells.`,
    }, canvas);
    let row = 0;
    let column = 0;
    const show = () => {
      const value = array.cells[row * array.columns + column];
      read.textContent = `${placeOf(array, row, column)} ${value}`;
    };
    const point = (event) => {
      const edge = canvas.getBoundingClientRect();
      const along = (at, start, size, n) =>
        Math.max(0, Math.min(n - 1, Math.floor(((at - start) / size) * n)));
      column = along(event.clientX, edge.left, edge.width, array.columns);
      row = along(event.clientY, edge.top, edge.height, array.rows);
      show();
    };
    box.addEventListener("pointermove", point);
    box.addEventListener("pointerdown", point); // a finger that taps does not move
    box.addEventListener("focus", show);
    box.addEventListener("keydown", (event) => {
      const moves = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };
      const move = moves[event.key];
      if (!move || event.ctrlKey || event.metaKey || event.altKey) return;
      row = Math.max(0, Math.min(array.rows - 1, row + move[0]));
      column = Math.max(0, Math.min(array.columns - 1, column + move[1]));
      show();
      event.preventDefault();
      event.stopPropagation();
    });
    figure.append(box);
  }
  figure.append(make("p", { className: "facts" }, facts(array)));
  if (array.cells.length > 1) figure.append(read, figures(name, array));
  return figure;
}

// The same as a table of figures, which is made when somebody opens it.
function figures(name, array) {
  const inside = make("div", {
    className: "figures", tabIndex: 0, role: "group", "aria-label": `Figures of ${alttext(name)}`,
  });
  const details = make("details", {}, make("summary", {}, "Figures"), inside);
  details.addEventListener("toggle", () => {
    if (!details.open || inside.firstChild) return;
    const body = make("tbody");
    for (let row = 0; row < array.rows; row++) {
      const cells = array.cells.slice(row * array.columns, (row + 1) * array.columns);
      body.append(make("tr", {}, make("th", { scope: "row" }, String(row)),
        ...cells.map((value) => make("td", {}, String(value)))));
    }
    const head = Array.from({ length: array.columns }, (_, i) => make("th", { scope: "col" }, String(i)));
    inside.append(make("table", {}, make("thead", {}, make("tr", {}, make("td"), ...head)), body));
  });
  return details;
}

// The step.

function forwardCard(step) {
  const entry = data.entries[step.entry];
  if (entry.op === null) {
    return [
      make("p", {}, "A leaf: nobody computed it. Gradients end here, and stay in .grad."),
      make("div", { className: "flow" }, heatmap(entry.math, entry.value)),
    ];
  }
  const flow = make("div", { className: "flow" });
  for (const input of entry.inputs) flow.append(heatmap(input.math, input.value));
  flow.append(make("span", { className: "arrow", ariaHidden: "true" }, "→"));
  flow.append(heatmap(entry.math, entry.value));
  return [formulaLine(entry.formula), flow];
}

function backCard(step) {
  const back = data.back[step.turn];
  const entry = data.entries[step.entry];
  const flow = make("div", { className: "pass" },
    make("div", { className: "back" }, make("h3", {}, "What arrives"), heatmap(entry.derivative, back.arrives)));
  const vjps = make("div", { className: "vjps" });
  for (const leaving of back.leaves) {
    const input = entry.inputs[leaving.input];
    vjps.append(make("div", { className: "back vjp" },
      make("h3", {}, `What leaves for ${input.name}, by the VJP`),
      formulaLine(leaving.rule), heatmap(input.derivative, leaving.cotangent)));
  }
  flow.append(make("span", { className: "arrow", ariaHidden: "true" }, "→"), vjps);
  const values = make("div", { className: "flow" });
  for (const input of entry.inputs) values.append(heatmap(input.math, input.value));
  values.append(heatmap(entry.math, entry.value));
  return [
    formulaLine(entry.formula), flow,
    make("div", { className: "group" }, make("h3", {}, "The values on the way forward"), values),
  ];
}

function endCard() {
  const flow = make("div", { className: "flow" });
  for (const leaf of data.leaves) {
    flow.append(leaf.after === null
      ? make("p", {}, `${data.entries[leaf.entry].name}: no cotangent arrives`)
      : heatmap(data.entries[leaf.entry].derivative, leaf.after));
  }
  const result = data.entries[data.entries.length - 1];
  return [
    make("p", {}, "The walk is over. Now backward() adds what has arrived at each leaf to its .grad, " +
      "all of it together."),
    make("div", { className: "flow" }, heatmap(result.math, result.value)),
    flow,
  ];
}

function titleOf(step) {
  if (step.kind === "end") return "Done: the gradients";
  const entry = data.entries[step.entry];
  if (step.kind === "back") return `Back through ${entry.op}`;
  return entry.op === null ? `Forward: the leaf ${entry.name}` : `Forward: ${entry.op} makes ${entry.name}`;
}

// The film strip. A frame is filled once it comes into view.

const frames = data.entries.map((entry, i) => {
  const button = make("button", {
    type: "button", className: "frame ahead", tabIndex: -1, ariaLabel: `${entry.name}, ${entry.op ?? "leaf"}`,
  });
  button.addEventListener("click", () => {
    const back = steps[current].kind !== "forward" && turnOf.has(i);
    go(back ? forwardSteps + turnOf.get(i) : i);
  });
  return { entry: i, button, shown: undefined, state: "", visible: false };
});
const frameOf = new Map(frames.map((frame) => [frame.button, frame]));
byId("frames").append(...frames.map((frame) => make("li", {}, frame.button)));
const watcher = new IntersectionObserver((seen) => {
  for (const { target, isIntersecting } of seen) {
    const frame = frameOf.get(target);
    frame.visible = isIntersecting;
    if (isIntersecting && !target.firstChild) {
      const entry = data.entries[frame.entry];
      target.append(make("span", { className: "name" }, entry.name), make("canvas"),
        make("span", { className: "op" }, entry.op ?? "leaf"));
    }
  }
  thumbnails();
}, { root: byId("frames") });
frames.forEach((frame) => watcher.observe(frame.button));

function thumbnails() {
  const turn = turnAt(steps[current]);
  frames.forEach((frame, i) => {
    if (!frame.visible) return;
    const flowing = grown(i, turn);
    const number = flowing.length ? flowing[flowing.length - 1].array : data.entries[i].value;
    if (number === frame.shown) return;
    frame.shown = number;
    small(frame.button.querySelector("canvas"), number, 64, 44);
  });
}

function small(canvas, number, width, height) {
  const array = number === null ? null : data.arrays[number];
  if (!array || !array.cells.length) {
    canvas.width = canvas.height = 1;
    return;
  }
  const fit = (n, most) => Math.max(8, Math.min(most, n * 12));
  paint(canvas, array, fit(array.columns, width), fit(array.rows, height), false);
}

// The leaves.

const grads = data.leaves.map((leaf) => {
  const canvas = make("canvas", { ariaHidden: "true" });
  const text = make("p", { className: "facts" });
  const item = make("li", {}, canvas, make("strong", {}, `${data.entries[leaf.entry].name}.grad`), text);
  byId("grads").append(item);
  return { leaf, canvas, text, item, shown: undefined };
});

function showGrads(step) {
  const turn = turnAt(step);
  for (const grad of grads) {
    const { leaf } = grad;
    const flowing = grown(leaf.entry, turn);
    const all = growth[leaf.entry].length;
    const last = flowing.length ? flowing[flowing.length - 1] : null;
    const number = step.kind === "end" ? leaf.after : last ? last.array : leaf.before;
    if (number !== grad.shown) {
      grad.shown = number;
      small(grad.canvas, number, 60, 44);
    }
    let said = "nothing yet";
    if (step.kind === "end") said = leaf.after === null ? "None: nothing arrives" : facts(data.arrays[leaf.after]);
    else if (last) said = `${flowing.length} of ${all} arrived: ${facts(data.arrays[last.array])}`;
    else if (leaf.before !== null) said = `from before: ${facts(data.arrays[leaf.before])}`;
    grad.text.textContent = said;
    const lit = step.kind === "back" && last && last.turn === turn;
    grad.item.className = lit ? "lit" : "";
    if (lit) intoView(byId("grads").parentElement, grad.item);
  }
  byId("leaves-about").textContent = step.kind === "end"
    ? "All of it is in .grad now."
    : "What has arrived so far. It is added to .grad at the end, all together.";
}

// The graph, of which only what is in view is drawn.

const WIDE = 112;
const HIGH = 62;
const BOX = [96, 38];
const vertices = new Map(data.graph.vertices.map(([id, x, layer, name, op]) =>
  [id, { id, x: x * WIDE + WIDE / 2, y: layer * HIGH + HIGH / 2, name, op }]));
const all = [...vertices.values()];
const canvasSize = [Math.max(...all.map((v) => v.x)) + WIDE / 2, Math.max(...all.map((v) => v.y)) + HIGH / 2];
const drawing = byId("drawing");
drawing.append(svg("svg", { width: canvasSize[0], height: canvasSize[1], role: "img",
  "aria-label": `The graph: ${data.graph.vertices.length} nodes, ${data.graph.edges.length} edges, from the leaves above to ${data.output} below` }));

const clip = (text, n) => (text.length > n ? `${text.slice(0, n - 1)}…` : text);

function drawGraph() {
  const step = steps[current];
  const turn = turnAt(step);
  const [left, top] = [drawing.scrollLeft - WIDE, drawing.scrollTop - HIGH];
  const [right, bottom] = [left + drawing.clientWidth + 2 * WIDE, top + drawing.clientHeight + 2 * HIGH];
  const flowed = (id) => id >= 0 && growth[id].length > 0 && growth[id][0].turn <= turn;
  const within = (a, b) => Math.max(a.y, b.y) > top && Math.min(a.y, b.y) < bottom
    && Math.max(a.x, b.x) > left && Math.min(a.x, b.x) < right;
  const leaving = step.kind === "back" ? new Set(data.back[step.turn].leaves.map((x) => x.entry)) : new Set();
  const parts = [];
  for (const [from, to] of data.graph.edges) {
    const [a, b] = [vertices.get(from), vertices.get(to)];
    if (!within(a, b)) continue;
    const here = to === step.entry;
    const done = turnOf.has(to) && turnOf.get(to) <= turn && flowed(from);
    const state = here && leaving.has(from) ? "hot" : here && step.kind === "forward" ? "fed" : done ? "flowed" : "";
    const [y1, y2] = [a.y + BOX[1] / 2, b.y - BOX[1] / 2];
    const middle = (y1 + y2) / 2;
    parts.push(svg("path", { d: `M${a.x} ${y1}C${a.x} ${middle} ${b.x} ${middle} ${b.x} ${y2}`, class: state }));
  }
  for (const v of all) {
    if (v.y < top || v.y > bottom || v.x < left || v.x > right) continue;
    const state = v.id === step.entry ? "vertex lit" : flowed(v.id) ? "vertex flowed" : "vertex";
    const group = svg("g", { class: state },
      svg("rect", { x: v.x - BOX[0] / 2, y: v.y - BOX[1] / 2, width: BOX[0], height: BOX[1],
        rx: v.id >= 0 && data.entries[v.id].op !== null ? 3 : 18, ...(v.id < 0 ? { "stroke-dasharray": "4 3" } : {}) }),
      svg("text", { x: v.x, y: v.y - 3 }, clip(v.name, 14)),
      svg("text", { x: v.x, y: v.y + 12, class: "op" }, clip(v.op, 14)));
    if (v.id >= 0) group.addEventListener("click", () => frames[v.id].button.click());
    parts.push(group);
  }
  drawing.firstChild.replaceChildren(...parts);
}

drawing.addEventListener("scroll", () => requestAnimationFrame(drawGraph));

function centre(entry) {
  const v = vertices.get(entry);
  if (!v) return;
  drawing.scrollTop = v.y - drawing.clientHeight / 2;
  drawing.scrollLeft = v.x - drawing.clientWidth / 2;
}

// The table, so many rows at a time.

const CHUNK = 200;
let chunk = -1;
let rows = [];

function showRows(step) {
  const turn = turnAt(step);
  const entry = step.entry ?? data.entries.length - 1;
  if (Math.floor(entry / CHUNK) !== chunk) {
    chunk = Math.floor(entry / CHUNK);
    const some = data.entries.slice(chunk * CHUNK, (chunk + 1) * CHUNK);
    const cell = (tag, text, more = {}) => make(tag, more, text);
    const head = ["#", "Name", "Op", "Inputs", "Shape", "Value", "Cotangent"];
    const body = make("tbody");
    rows = some.map((e, i) => {
      const value = e.value === null ? "no longer held" : data.arrays[e.value].range;
      const row = make("tr", {},
        cell("td", String(chunk * CHUNK + i)), cell("th", e.name, { scope: "row" }), cell("td", e.op ?? "leaf"),
        cell("td", e.inputs.map((x) => x.name).join(", ")), cell("td", e.shape), cell("td", value), cell("td", ""));
      body.append(row);
      return row;
    });
    const table = make("table", {},
      make("thead", {}, make("tr", {}, ...head.map((text) => cell("th", text, { scope: "col" })))), body);
    const from = chunk * CHUNK;
    const note = data.entries.length > CHUNK
      ? [make("p", { className: "note" }, `Entries ${from} to ${from + some.length - 1} of ${data.entries.length}, around this step.`)]
      : [];
    byId("rows").replaceChildren(...note, table);
  }
  rows.forEach((row, i) => {
    const number = chunk * CHUNK + i;
    const flowing = grown(number, turn);
    row.className = number === step.entry ? "lit" : "";
    if (number === step.entry) row.setAttribute("aria-current", "step");
    else row.removeAttribute("aria-current");
    row.lastChild.textContent = flowing.length ? data.arrays[flowing[flowing.length - 1].array].range : "";
  });
}

function intoView(box, element) {
  // scrollIntoView would scroll the page as well.
  const fits = element.offsetWidth < box.clientWidth;
  const across = fits ? element.offsetLeft - (box.clientWidth - element.offsetWidth) / 2 : box.scrollLeft;
  const down = element.offsetTop - (box.clientHeight - element.offsetHeight) / 2;
  box.scrollTo(across, down);
}

// From step to step.

let current = 0;

function show() {
  const step = steps[current];
  const turn = turnAt(step);
  byId("step-title").textContent = titleOf(step);
  const cards = { forward: forwardCard, back: backCard, end: endCard };
  byId("card").replaceChildren(...cards[step.kind](step));
  frames.forEach((frame, i) => {
    const flowed = growth[i].length && growth[i][0].turn <= turn;
    const reached = step.kind !== "forward" || i <= step.entry;
    const state = `frame ${reached ? "" : "ahead"} ${flowed ? "flowed" : ""} ${i === step.entry ? "lit" : ""}`;
    if (state === frame.state) return;
    frame.state = frame.button.className = state;
    const lit = i === step.entry;
    frame.button.tabIndex = lit || (step.entry === null && i === 0) ? 0 : -1;
    if (lit) frame.button.setAttribute("aria-current", "step");
    else frame.button.removeAttribute("aria-current");
  });
  if (step.entry !== null) intoView(byId("frames"), frames[step.entry].button.parentElement);
  thumbnails();
  showGrads(step);
  showRows(step);
  const lit = byId("rows").querySelector(".lit");
  if (lit) intoView(byId("rows"), lit);
  centre(step.entry ?? data.entries.length - 1);
  drawGraph();
  const way = { forward: "Forward, left to right.", back: "Back, right to left: the strip shows the cotangents.", end: "The walk is over." };
  byId("where").textContent = `${way[step.kind]} Blue is below 0, orange above; each picture has its own scale.`;
  const slider = byId("slider");
  slider.value = current + 1;
  slider.setAttribute("aria-valuetext", `${current + 1} of ${steps.length}, ${titleOf(step)}`);
  byId("count").textContent = `${current + 1} / ${steps.length}`;
  byId("first").disabled = byId("back").disabled = current === 0;
  byId("last").disabled = byId("next").disabled = current === steps.length - 1;
  if (!playing) byId("said").textContent = `Step ${current + 1} of ${steps.length}. ${titleOf(step)}.`;
}

function go(step) {
  current = Math.max(0, Math.min(steps.length - 1, step));
  show();
}

let playing = null;

function play(on) {
  clearInterval(playing);
  playing = null;
  if (on) {
    if (current === steps.length - 1) go(0);
    playing = setInterval(() => {
      go(current + 1);
      if (current === steps.length - 1) play(false);
    }, 1000 / Number(byId("speed").value));
  }
  const name = on ? "Pause" : "Play";
  byId("play").textContent = name;
  byId("play").setAttribute("aria-label", name);
  byId("play").title = `${name} (space)`;
}

byId("slider").max = steps.length;
byId("slider").addEventListener("input", (event) => go(Number(event.target.value) - 1));
byId("first").addEventListener("click", () => go(0));
byId("back").addEventListener("click", () => go(current - 1));
byId("next").addEventListener("click", () => go(current + 1));
byId("last").addEventListener("click", () => go(steps.length - 1));
byId("play").addEventListener("click", () => play(!playing));
byId("speed").addEventListener("change", () => playing && play(true));

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("select")) return;
  const moves = { ArrowRight: current + 1, ArrowLeft: current - 1, Home: 0, End: steps.length - 1 };
  if (event.key in moves) go(moves[event.key]);
  else if (event.key === " " && !event.target.closest("button, summary, a")) play(!playing);
  else return;
  event.preventDefault();
});

const dark = matchMedia("(prefers-color-scheme: dark)");
dark.addEventListener("change", () => {
  readColours();
  for (const shown of [...frames, ...grads]) shown.shown = undefined;
  show();
});

readColours();
show();
