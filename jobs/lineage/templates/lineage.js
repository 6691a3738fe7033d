"use strict";
// Walks the graph that the page holds and draws what is chosen. Places of cards come with the graph.
const graph = JSON.parse(document.getElementById("graph").textContent);
const { datasets } = graph;
const byId = (id) => document.getElementById(id);
const WIDTH = 222, GAP = 54, HEAD = 30, LINE = 20, SPACE = 10, TOP = 52, LEFT = 16, SHOWN = 5;
const MARKS = { passed: "✓", warned: "!", failed: "✕", unknown: "" };

// Both directions, at the level of datasets and of columns; a column is named by `dataset * BASE + column`.
const BASE = 10000;
const key = (dataset, column) => dataset * BASE + column;
const parents = graph.parents.map((list) => list.map(([name]) => name));
const children = datasets.map(() => []);
parents.forEach((list, child) => list.forEach((parent) => children[parent].push(child)));
const made = new Map(), used = new Map(), picks = new Map(), picked = new Map();
const add = (map, at, value) => map.has(at) ? map.get(at).push(value) : map.set(at, [value]);
for (const [dataset, column, sources] of graph.made)
  for (const [from, name, how] of sources) {
    add(made, key(dataset, column), [key(from, name), how]);
    add(used, key(from, name), [key(dataset, column), how]);
  }
for (const [dataset, sources] of graph.rows)
  for (const [from, name, how] of sources) {
    add(picks, dataset, [key(from, name), how]);
    add(picked, key(from, name), [dataset, how]);
  }

const state = { dataset: null, column: null, scale: 1 };

/** Everything reached from `start`, with its distance. */
function reach(start, next) {
  const depth = new Map([[start, 0]]);
  for (let frontier = [start]; frontier.length;) {
    const found = [];
    for (const node of frontier)
      for (const other of next(node))
        if (!depth.has(other)) { depth.set(other, depth.get(node) + 1); found.push(other); }
    frontier = found;
  }
  return depth;
}

const keys = (map, at) => (map.get(at) || []).map(([other]) => other);
function columnsAbove(column) {
  const rows = byId("rows").checked ? keys(picks, Math.floor(column / BASE)) : [];
  return [...keys(made, column), ...rows];
}
function columnsBelow(column) {
  const rows = byId("rows").checked ? keys(picked, column) : [];
  return [...keys(used, column), ...rows.flatMap((d) => datasets[d].columns.map((_, c) => key(d, c)))];
}

/** What the choice reaches: per direction datasets with their distance, and columns where a column is chosen. */
function traced() {
  if (state.dataset === null) return null;
  if (state.column === null)
    return { up: reach(state.dataset, (d) => parents[d]), down: reach(state.dataset, (d) => children[d]), columns: null };
  const start = key(state.dataset, state.column);
  const columns = { up: reach(start, columnsAbove), down: reach(start, columnsBelow) };
  return { up: nearest(columns.up), down: nearest(columns.down), columns };
}
function nearest(columns) {
  const found = new Map();
  for (const [column, depth] of columns) {
    const dataset = Math.floor(column / BASE);
    if (!found.has(dataset)) found.set(dataset, depth);
  }
  return found;
}

/** Columns that a card lists: those on the way, the start first. */
function listed(dataset, trace) {
  if (!trace || !trace.columns) return [];
  const mine = new Set();
  for (const way of [trace.columns.up, trace.columns.down])
    for (const column of way.keys()) if (Math.floor(column / BASE) === dataset) mine.add(column % BASE);
  return [...mine].sort((a, b) => (b === state.column && dataset === state.dataset) - (a === state.column && dataset === state.dataset) || a - b);
}

function element(tag, attributes, ...inside) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {}))
    if (name === "click") made.addEventListener("click", value);
    else if (value !== null && value !== undefined) made.setAttribute(name, value);
  made.append(...inside.filter((one) => one !== null && one !== undefined));
  return made;
}
const shortName = (dataset) => datasets[dataset].name.slice(datasets[dataset].name.indexOf(".") + 1);
const fullName = (column) => `${datasets[Math.floor(column / BASE)].name}.${datasets[Math.floor(column / BASE)].columns[column % BASE][0]}`;

// A card says what it is where that is not plain from its lane: another schema than the lane's first, a view, a report.
const schemaOf = (one) => one.name.slice(0, one.name.indexOf("."));
const labels = datasets.map((one) => {
  if (one.kind === "view" || one.kind === "report") return one.kind;
  return schemaOf(one) === graph.lanes[one.lane][0] ? "" : schemaOf(one);
});

let boxes = new Map(), size = [0, 0];

function draw() {
  const trace = traced();
  const isOn = (d) => !trace || trace.up.has(d) || trace.down.has(d);
  const isShown = (d) => !byId("only").checked || isOn(d);
  document.body.classList.toggle("chosen", trace !== null);
  const shown = datasets.map((_, d) => d).filter(isShown);
  const columns = [...new Set(shown.map((d) => datasets[d].column))].sort((a, b) => a - b);
  const cards = byId("cards");
  const hadFocus = document.activeElement?.dataset?.at;
  cards.replaceChildren();
  boxes = new Map();
  let bottom = 0;
  columns.forEach((column, place) => {
    let y = TOP;
    for (const d of shown.filter((d) => datasets[d].column === column).sort((a, b) => datasets[a].row - datasets[b].row)) {
      const names = listed(d, trace), lines = Math.min(names.length, SHOWN) + (names.length > SHOWN ? 1 : 0);
      const height = HEAD + 2 + (lines ? lines * LINE + 4 : 0);
      const box = { x: LEFT + place * (WIDTH + GAP), y, height, at: new Map(names.slice(0, SHOWN).map((c, n) => [c, y + HEAD + 2 + n * LINE + LINE / 2])) };
      boxes.set(d, box);
      cards.append(card(d, box, names, trace));
      y += height + SPACE;
    }
    bottom = Math.max(bottom, y);
  });
  for (const lane of Object.keys(graph.lanes)) {
    const mine = columns.map((c, n) => [c, n]).filter(([c]) => shown.some((d) => datasets[d].column === c && datasets[d].lane === lane));
    if (!mine.length) continue;
    const left = LEFT + mine[0][1] * (WIDTH + GAP), right = LEFT + mine[mine.length - 1][1] * (WIDTH + GAP) + WIDTH;
    cards.append(element("div", { class: "lane", style: `left:${left}px;width:${right - left}px` }, lane));
  }
  size = [LEFT * 2 + columns.length * (WIDTH + GAP) - GAP, bottom + 16];
  drawEdges(trace, shown);
  zoom(state.scale);
  if (hadFocus) cards.querySelector(`[data-at="${hadFocus}"]`)?.focus({ preventScroll: true });
}

function card(d, box, names, trace) {
  const one = datasets[d], start = d === state.dataset;
  const ways = !trace ? "" : `${trace.up.has(d) ? " up on" : ""}${trace.down.has(d) ? " down on" : ""}`;
  const label = `${one.name}, ${one.kind}${one.state === "unknown" ? "" : `, checks ${one.state}`}`;
  const head = element("button", { "data-at": d, title: one.name, "aria-label": label, click: () => choose(d, null) },
    element("span", { class: "name" }, shortName(d)),
    labels[d] ? element("span", { class: "kind" }, labels[d]) : null,
    element("span", { class: "mark", "aria-hidden": "true" }, MARKS[one.state]));
  const list = names.length ? element("ul", {}, ...names.slice(0, SHOWN).map((c) =>
    element("li", { class: start && c === state.column ? "start" : "" }, element("button", { title: one.columns[c][0], click: () => choose(d, c) }, one.columns[c][0]))),
  names.length > SHOWN ? element("li", {}, element("button", { click: () => choose(d, null) }, `and ${names.length - SHOWN} more`)) : null) : null;
  return element("div", { class: `card ${one.state}${ways}${start ? " start" : ""}`, style: `left:${box.x}px;top:${box.y}px;width:${WIDTH}px;height:${box.height}px` }, head, list);
}

function drawEdges(trace, shown) {
  const svg = byId("edges"), isShown = new Set(shown), drawn = new Map();
  svg.setAttribute("width", size[0]); svg.setAttribute("height", size[1]);
  const line = (from, to, y1, y2, way) => {
    const a = boxes.get(from), b = boxes.get(to), x1 = a.x + WIDTH, x2 = b.x;
    const bend = x2 > x1 ? Math.max((x2 - x1) / 2, 24) : 60;
    const d = `M${x1} ${y1}C${x1 + bend} ${y1} ${x2 - bend} ${y2} ${x2} ${y2}`;
    if (!drawn.get(d)) drawn.set(d, way);
  };
  const middle = (d) => boxes.get(d).y + HEAD / 2;
  parents.forEach((list, child) => list.forEach((parent) => {
    if (!isShown.has(parent) || !isShown.has(child)) return;
    // Every table is held against its contract: those lines would cover all others.
    if (!trace && datasets[child].lane === "operations") return;
    const way = !trace || trace.columns ? "" : trace.up.has(parent) && trace.up.has(child) ? "up" : trace.down.has(parent) && trace.down.has(child) ? "down" : "";
    line(parent, child, middle(parent), middle(child), way);
  }));
  for (const way of trace && trace.columns ? ["up", "down"] : []) {
    const mine = trace.columns[way];
    for (const to of mine.keys())
      for (const from of columnsAbove(to))
        if (mine.has(from)) {
          const f = Math.floor(from / BASE), t = Math.floor(to / BASE);
          if (f !== t && isShown.has(f) && isShown.has(t))
            line(f, t, boxes.get(f).at.get(from % BASE) ?? middle(f), boxes.get(t).at.get(to % BASE) ?? middle(t), way);
        }
  }
  const order = { "": 0, down: 1, up: 2 };
  svg.replaceChildren(...[...drawn].sort((a, b) => order[a[1]] - order[b[1]]).map(([d, way]) => {
    const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
    path.setAttribute("d", d); path.setAttribute("class", way);
    return path;
  }));
}

function zoom(scale) {
  state.scale = Math.min(Math.max(scale, 0.2), 1.6);
  const canvas = byId("canvas");
  canvas.style.transform = `scale(${state.scale})`;
  canvas.style.width = `${size[0]}px`; canvas.style.height = `${size[1]}px`;
  canvas.style.marginRight = `${size[0] * (state.scale - 1)}px`; canvas.style.marginBottom = `${size[1] * (state.scale - 1)}px`;
}
function fit() {
  const view = byId("view");
  zoom(Math.min(view.clientWidth / size[0], view.clientHeight / size[1], 1));
}

/** Make a dataset or column the start of the walk; `null` chooses nothing. */
function choose(dataset, column, isFromHash) {
  state.dataset = dataset; state.column = column;
  const name = dataset === null ? "" : column === null ? datasets[dataset].name : fullName(key(dataset, column));
  if (!isFromHash) history.replaceState(null, "", name ? `#${name}` : location.pathname + location.search);
  draw(); describe(); show();
}
function show() {
  const box = boxes.get(state.dataset), view = byId("view");
  if (!box) return;
  const x = box.x * state.scale, y = box.y * state.scale, w = WIDTH * state.scale;
  if (x < view.scrollLeft || x + w > view.scrollLeft + view.clientWidth || y < view.scrollTop || y + HEAD > view.scrollTop + view.clientHeight)
    view.scrollTo({ left: x - (view.clientWidth - w) / 2, top: y - view.clientHeight / 3 });
}

const number = (n) => n.toLocaleString("en");
const plural = (n, word) => `${number(n)} ${word}${n === 1 ? "" : "s"}`;
const facts = (pairs) => element("dl", { class: "facts" }, ...pairs.filter(([, v]) => v !== null && v !== undefined && v !== "").flatMap(([k, v]) => [element("dt", {}, k), element("dd", {}, v)]));
const day = (text) => text ? text.slice(0, 16).replace("T", " ") + " UTC" : "";
const link = (text, click) => element("button", { click }, text);
const phi = (kind) => kind ? element("span", { class: "phi", title: "Kind of protected health information (HIPAA Safe Harbor)" }, `PHI ${kind.replaceAll("_", " ")}`) : null;

function describe() {
  const panel = byId("panel");
  panel.scrollTop = 0;
  if (state.dataset === null) return panel.replaceChildren(...welcome());
  panel.replaceChildren(element("button", { class: "close", "aria-label": "Choose nothing", click: () => choose(null, null) }, "✕"),
    ...(state.column === null ? aboutDataset(state.dataset) : aboutColumn(state.dataset, state.column)));
}

function welcome() {
  const broken = datasets.map((one, d) => [one, d]).filter(([one]) => one.state === "failed" || one.state === "warned");
  return [element("h2", {}, "Choose a table or a column"),
    element("p", { class: "soft" }, "What it comes from and what it goes into are drawn; the search finds both."),
    broken.length ? element("h3", {}, "Checks that did not pass") : null,
    element("ul", {}, ...broken.map(([one, d]) => element("li", {}, element("span", { class: `mark ${one.state}` }, `${MARKS[one.state]} `), link(one.name, () => choose(d, null)))))].filter(Boolean);
}

function aboutDataset(d) {
  const one = datasets[d], trace = traced(), checks = [...one.checks].sort((a, b) => "failed warned passed".indexOf(a[1]) - "failed warned passed".indexOf(b[1]));
  const broken = checks.filter((check) => check[1] !== "passed"), passed = checks.length - broken.length;
  return [element("h2", {}, one.name), element("p", {}, one.words),
    facts([["Kind", one.kind], ["Owner", one.owner], ["Version", one.version], ["Rows written", one.rows === null ? "" : number(one.rows)], ["Last event", day(one.seen)], ["Made by", jobsOf(d)]]),
    checks.length ? element("h3", {}, `Checks: ${broken.length ? `${broken.length} of ` : ""}${plural(checks.length, "rule")} ${broken.length ? "broken" : "passed"}`) : null,
    broken.length ? element("ul", {}, ...broken.map(checkLine)) : null,
    passed ? element("details", {}, element("summary", {}, `${number(passed)} passed`), element("ul", {}, ...checks.slice(broken.length).map(checkLine))) : null,
    element("h3", {}, plural(one.columns.length, "column")),
    element("ul", {}, ...one.columns.map(([name, type, kind, words], c) => element("li", {}, link(name, () => choose(d, c)), " ", element("span", { class: "soft" }, type), " ", phi(kind), words ? element("div", { class: "soft" }, words) : null))),
    ...walk("Comes from", trace.up), ...walk("Goes into", trace.down)].filter(Boolean);
}
const checkLine = ([name, how, actual, words]) => element("li", { title: words }, element("span", { class: `mark ${how}` }, `${MARKS[how]} `), name, actual && how !== "passed" ? element("div", { class: "soft" }, actual) : null);
const jobsOf = (d) => graph.writers[d].map((j) => `${graph.jobs[j].name}${graph.jobs[j].state === "DESIGN" ? "" : ` (${graph.jobs[j].state.toLowerCase()} ${day(graph.jobs[j].at)})`}`).join(", ");

function walk(title, depths) {
  const steps = [...depths].filter(([, depth]) => depth > 0);
  if (!steps.length) return [element("h3", {}, `${title} nothing`)];
  return [element("h3", {}, `${title} ${plural(steps.length, "dataset")}`),
    element("ul", {}, ...steps.map(([d, depth]) => element("li", {}, element("span", { class: "soft" }, `${depth} `), link(datasets[d].name, () => choose(d, null)))))];
}

function aboutColumn(d, c) {
  const [name, type, kind, words] = datasets[d].columns[c], { columns } = traced();
  return [element("p", { class: "path" }, link(datasets[d].name, () => choose(d, null))), element("h2", {}, name),
    words ? element("p", {}, words) : null, facts([["Type", type], ["Made by", jobsOf(d)]]), phi(kind),
    ...direct("Made from", made.get(key(d, c))), ...columnWalk("Comes from", columns.up),
    ...direct("Used for", used.get(key(d, c))), ...columnWalk("Goes into", columns.down)].filter(Boolean);
}
function direct(title, list) {
  if (!list) return [];
  const ways = new Map();
  for (const [column, how] of list) add(ways, column, how.toLowerCase().replace("_", " "));
  const lines = [...ways].map(([column, hows]) => element("li", {}, link(fullName(column), () => choose(Math.floor(column / BASE), column % BASE)), " ", element("span", { class: "soft" }, [...new Set(hows)].join(", "))));
  return [element("h3", {}, `${title} ${plural(lines.length, "column")}`), folded(lines)];
}
function columnWalk(title, depths) {
  const groups = new Map();
  for (const [column, depth] of depths) if (depth > 0) add(groups, Math.floor(column / BASE), [column, depth]);
  if (!groups.size) return [element("h3", {}, `${title} nothing`)];
  const total = [...groups.values()].reduce((sum, list) => sum + list.length, 0);
  return [element("h3", {}, `${title} ${plural(total, "column")} of ${plural(groups.size, "dataset")}`),
    ...[...groups].map(([d, list]) => element("details", {}, element("summary", {}, `${list[0][1]}  ${datasets[d].name} (${list.length})`),
      element("ul", {}, ...list.map(([column]) => element("li", {}, link(datasets[d].columns[column % BASE][0], () => choose(d, column % BASE)))))))];
}
function folded(lines) {
  if (lines.length <= 8) return element("ul", {}, ...lines);
  return element("div", {}, element("ul", {}, ...lines.slice(0, 6)), element("details", {}, element("summary", {}, `${lines.length - 6} more`), element("ul", {}, ...lines.slice(6))));
}

// Search: every word must be in the name; tables before columns, short names first.
const entries = datasets.flatMap((one, d) => [[one.name, d, null, one.kind], ...one.columns.map(([name], c) => [`${one.name}.${name}`, d, c, "column"])]);
let found = [], chosen = 0;
function search() {
  const words = byId("search").value.toLowerCase().split(/\s+/).filter(Boolean), list = byId("found");
  const rank = ([name, , column]) => (column !== null) * 1000 + name.length - 500 * name.toLowerCase().endsWith(words.join(" "));
  found = words.length ? entries.filter(([name]) => words.every((word) => name.toLowerCase().includes(word))).sort((a, b) => rank(a) - rank(b)).slice(0, 40) : [];
  chosen = 0;
  list.replaceChildren(...(found.length || !words.length ? found.map(([name, , , kind], n) => element("li", { role: "option", id: `f${n}`, click: () => take(n) }, name, " ", element("small", {}, kind))) : [element("li", { class: "soft" }, "nothing is called so")]));
  open(words.length > 0);
  pick(0);
}
function open(is) { byId("found").hidden = !is; byId("search").setAttribute("aria-expanded", is); }
function pick(n) {
  chosen = Math.max(Math.min(n, found.length - 1), 0);
  [...byId("found").children].forEach((li, at) => li.setAttribute("aria-selected", at === chosen));
  byId("search").setAttribute("aria-activedescendant", found.length ? `f${chosen}` : "");
  byId("found").children[chosen]?.scrollIntoView({ block: "nearest" });
}
function take(n) { if (found[n]) { open(false); byId("search").value = found[n][0]; choose(found[n][1], found[n][2]); } }

byId("search").addEventListener("input", search);
byId("search").addEventListener("keydown", (event) => {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (step) { pick(chosen + step); event.preventDefault(); }
  if (event.key === "Enter") take(chosen);
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") { open(false); byId("search").value = ""; choose(null, null); }
  if (event.key === "/" && document.activeElement !== byId("search")) { byId("search").focus(); event.preventDefault(); }
});
document.addEventListener("click", (event) => { if (!event.target.closest(".find")) open(false); });
byId("only").addEventListener("change", () => { draw(); show(); });
byId("rows").addEventListener("change", () => { draw(); describe(); });
byId("in").addEventListener("click", () => zoom(state.scale * 1.25));
byId("out").addEventListener("click", () => zoom(state.scale / 1.25));
byId("fit").addEventListener("click", fit);
addEventListener("hashchange", fromHash);

/** A link to `#schema.table.column` opens the page there. */
function fromHash() {
  const name = decodeURIComponent(location.hash.slice(1));
  const entry = entries.find(([known]) => known === name);
  choose(entry ? entry[1] : null, entry ? entry[2] : null, true);
}
fromHash();
if (state.dataset === null) zoom(Math.max(Math.min(byId("view").clientHeight / size[1], 1), 0.6));
