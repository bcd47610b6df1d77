// One sweep: its jobs as they end, as curves or a heat map, and as a table.

import * as api from "./api.js";
import { act, byId, element, notice, number } from "./format.js";
import { drawCurves, drawHeatMap, words } from "./sweep_plot.js";

const id = byId("batch").dataset.batch;
const POLL = 1500;
const QUANTITIES = {
  infidelity: "Infidelity",
  infidelity_bound: "Bound on the infidelity",
  trotter_infidelity: "Best Trotter, no shallower",
  gain: "Trotter's infidelity over ours",
  two_qubit_gates: "Two-qubit gates",
  two_qubit_depth: "Two-qubit depth",
  layers: "Layers",
  evaluations: "Evaluations",
  seconds: "Seconds",
};
const LOGARITHMIC = ["infidelity", "infidelity_bound", "trotter_infidelity", "gain"];
const COLUMNS = ["infidelity", "infidelity_bound", "trotter_infidelity", "two_qubit_gates", "two_qubit_depth", "evaluations", "seconds"];

let batch = null;
let axes = []; // {name, values, choice}: choice is the index shown where the axis is not drawn
let rows = [];
let timer = 0;

const valueOf = (row, quantity) => {
  if (quantity !== "gain") return row[quantity] ?? null;
  return row.infidelity > 0 && row.trotter_infidelity ? row.trotter_infidelity / row.infidelity : null;
};
const title = (row) =>
  `${axes.map(({ name }) => `${name} = ${words(row[name])}`).join(", ")}: ${row.infidelity === null ? row.state : number(row.infidelity)}`;
const href = (row) => `/ui/jobs/${encodeURIComponent(row.job)}`;

async function refresh() {
  clearTimeout(timer);
  try {
    batch = await api.getBatch(id);
    const table = await api.getTable(id);
    rows = table.rows;
    if (!axes.length) begin(table.axes);
    show();
    notice("");
  } catch (error) {
    notice(error.message);
    if (error.status === 404) return;
  }
  if (!batch?.finished) timer = setTimeout(refresh, POLL);
}

/** Offer the axes and the quantities once they are known. */
function begin(names) {
  const values = Object.values(batch.axes);
  axes = names.map((name, index) => ({ name, values: values[index], choice: 0 }));
  const option = (value, text) => element("option", { value }, text);
  byId("quantity").replaceChildren(...Object.entries(QUANTITIES).map(([name, text]) => option(name, text)));
  const offered = axes.map(({ name }, index) => option(index, name));
  byId("x-axis").replaceChildren(...offered.map((node) => node.cloneNode(true)));
  byId("y-axis").replaceChildren(option("", "nothing: curves"), ...(batch.mode === "zip" ? [] : offered));
  // Two axes with several values each make a map.
  const wide = axes.map((axis, index) => [index, axis.values.length]).filter(([, size]) => size > 1);
  if (batch.mode === "product" && wide.length > 1) [byId("y-axis").value, byId("x-axis").value] = [wide[0][0], wide[1][0]];
  else if (wide.length) byId("x-axis").value = wide[0][0];
  for (const select of ["quantity", "x-axis", "y-axis"]) byId(select).addEventListener("change", show);
  byId("columns").append(...[...names, "state", ...COLUMNS.map((name) => QUANTITIES[name])].map((text) => element("th", { scope: "col" }, text)));
}

function show() {
  document.title = `${batch.name || "Sweep"} · aqc`;
  byId("title").textContent = batch.name || "Sweep";
  const { states, size } = batch;
  const count = (...names) => names.reduce((sum, name) => sum + (states[name] ?? 0), 0);
  const open = count("queued", "running", "cancelling");
  byId("state").textContent = batch.finished ? "finished" : states.running ? "running" : "queued";
  byId("done").value = (size - open) / size;
  byId("facts").textContent = [`${size} jobs`, ...Object.entries(states).map(([name, n]) => `${n} ${name}`)].join(" · ");
  byId("cancel").hidden = batch.finished;
  byId("delete").hidden = !batch.finished;
  byId("csv").href = batch.links.csv;
  offerFixed();
  draw();
  byId("rows").replaceChildren(...rows.map(tableRow));
}

const drawn = () => {
  const [x, y] = [byId("x-axis").value, byId("y-axis").value];
  return { x: Number(x), y: y === "" || y === x ? null : Number(y) };
};

/** Inputs for the axes that are not drawn. */
function offerFixed() {
  const { x, y } = drawn();
  const rest = batch.mode === "zip" ? [] : [...axes.keys()].filter((k) => k !== x && k !== y && axes[k].values.length > 1);
  byId("fixed").replaceChildren(
    ...rest.map((k) => {
      const onchange = (event) => {
        axes[k].choice = Number(event.target.value);
        draw();
      };
      const options = axes[k].values.map((value, index) => element("option", { value: index, selected: index === axes[k].choice && "" }, words(value)));
      const name = `fixed-${k}`;
      return element("div", { class: "field" }, element("label", { for: name }, axes[k].name), element("select", { id: name, onchange }, ...options));
    }),
  );
}

function draw() {
  const { x, y } = drawn();
  const quantity = byId("quantity").value;
  const log = LOGARITHMIC.includes(quantity);
  const plot = byId("plot");
  const same = (row, k) => JSON.stringify(row[axes[k].name]) === JSON.stringify(axes[k].values[axes[k].choice]);
  const shown = rows.filter((row) => batch.mode === "zip" || [...axes.keys()].every((k) => k === x || k === y || same(row, k)));
  if (y === null) drawAsCurves(plot, shown, x, quantity, log);
  else drawAsMap(plot, shown, x, y, quantity, log);
  const known = shown.map((row) => valueOf(row, quantity)).filter((value) => value !== null);
  const beside = y === null && quantity === "infidelity" ? " Dashed: the best Trotter circuit, no shallower." : "";
  byId("plot-words").textContent = known.length
    ? `${QUANTITIES[quantity]} of ${known.length} jobs, from ${number(Math.min(...known))} to ${number(Math.max(...known))}.${beside}`
    : "";
}

function drawAsCurves(plot, shown, x, quantity, log) {
  const { name, values } = axes[x];
  const numeric = values.every((value) => typeof value === "number");
  const place = (row) => (numeric ? row[name] : values.findIndex((value) => JSON.stringify(value) === JSON.stringify(row[name])));
  const curve = (css, what) => ({
    name: css,
    points: shown
      .filter((row) => valueOf(row, what) !== null)
      .map((row) => ({ x: place(row), value: valueOf(row, what), href: href(row), title: title(row) }))
      .sort((a, b) => a.x - b.x),
  });
  const curves = [curve("ours", quantity)];
  // What ours is compared with belongs into the same picture.
  if (quantity === "infidelity") curves.unshift(curve("trotter", "trotter_infidelity"));
  drawCurves(plot, { curves, labels: numeric ? null : values.map(words), axis: name, quantity: QUANTITIES[quantity], log });
}

function drawAsMap(plot, shown, x, y, quantity, log) {
  const [across, down] = [axes[x], axes[y]];
  const find = (axis, row) => axis.values.findIndex((value) => JSON.stringify(value) === JSON.stringify(row[axis.name]));
  const cells = shown.map((row) => ({
    column: find(across, row),
    row: find(down, row),
    value: valueOf(row, quantity),
    href: href(row),
    title: title(row),
  }));
  drawHeatMap(plot, { cells, columns: across.values, rows: down.values, axis: across.name, down: down.name, log });
}

function tableRow(row) {
  const values = axes.map(({ name }, index) => {
    const text = words(row[name]);
    return element("td", {}, index ? text : element("a", { href: href(row) }, text));
  });
  const state = element("span", { class: "state", "data-state": row.state }, row.state);
  return element("tr", {}, ...values, element("td", {}, state), ...COLUMNS.map((name) => element("td", {}, number(row[name]))));
}

act("cancel", async () => {
  await api.cancelBatch(id);
  await refresh();
});
act("delete", async () => {
  if (!confirm("Delete this sweep with all its jobs and their files?")) return;
  await api.removeBatch(id);
  location.assign("/ui/batches");
});
new ResizeObserver(() => batch && axes.length && draw()).observe(byId("plot"));
await refresh();
