// A sweep as curves over one axis, or as a heat map over two. Every mark is a link to its job.

import { number, roundStep, svgElement } from "./format.js";

const EDGE = { left: 84, right: 16, top: 12, bottom: 44 };
// Dark to light; of cividis, which reads the same with any color vision.
const COLORS = [
  [0, 34, 78],
  [54, 70, 110],
  [109, 111, 113],
  [166, 157, 117],
  [225, 204, 85],
  [254, 232, 56],
];
const FLOOR = 1e-16;

export const words = (value) => (typeof value === "number" ? number(value) : typeof value === "string" ? value : JSON.stringify(value));

const area = (svg) => {
  const { width, height } = svg.getBoundingClientRect();
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  return { left: EDGE.left, right: width - EDGE.right, top: EDGE.top, bottom: height - EDGE.bottom };
};

/** Return value => place in [0, 1], logarithmic where asked for. */
function scale(values, log) {
  const at = (value) => (log ? Math.log10(Math.max(value, FLOOR)) : value);
  const all = values.map(at);
  const low = Math.min(...all);
  const high = Math.max(...all);
  return (value) => (high > low ? (at(value) - low) / (high - low) : 0.5);
}

/**
 * Draw curves: `curves` is [{name, points: [{x, value, href, title}]}]; x is a number, or an index
 * into `labels` where the values of the axis are no numbers.
 */
export function drawCurves(svg, { curves, labels, axis, quantity, log }) {
  const { left, right, top, bottom } = area(svg);
  const points = curves.flatMap((curve) => curve.points);
  if (!points.length || right <= left) return waiting(svg);
  const xs = scale(points.map((point) => point.x), false);
  const ys = scale(points.map((point) => point.value), log);
  const x = (value) => left + 14 + (right - left - 28) * xs(value);
  const y = (value) => bottom - 12 - (bottom - top - 24) * ys(value);
  svg.replaceChildren(
    ...ticks(points.map((point) => point.value), log).flatMap((value) => [
      svgElement("line", { class: "grid", x1: left, x2: right, y1: y(value), y2: y(value) }),
      svgElement("text", { x: left - 8, y: y(value) + 4, "text-anchor": "end" }, number(value)),
    ]),
    ...spread([...new Set(points.map((point) => point.x))].sort((a, b) => a - b), 12).map((value) =>
      svgElement("text", { x: x(value), y: bottom + 18, "text-anchor": "middle" }, labels ? labels[value] : number(value)),
    ),
    ...axisWords(axis, quantity, { left, right, top, bottom }),
    ...curves.flatMap(({ name, points: own }) => [
      svgElement("path", {
        class: `sweep-curve ${name}`,
        d: own.map((point, i) => `${i ? "L" : "M"}${x(point.x).toFixed(1)} ${y(point.value).toFixed(1)}`).join(""),
      }),
      ...own.map((point) =>
        link(point, svgElement("circle", { class: `sweep-dot ${name}`, cx: x(point.x), cy: y(point.value), r: 5 })),
      ),
    ]),
  );
}

/** Draw a heat map: `cells` is [{column, row, value, href, title}]; no value is an empty cell. */
export function drawHeatMap(svg, { cells, columns, rows, axis, down, log }) {
  const box = area(svg);
  const { left, right, top, bottom } = box;
  const values = cells.map((cell) => cell.value).filter((value) => value !== null);
  if (!cells.length || right <= left) return waiting(svg);
  const place = scale(values, log);
  const width = (right - left) / columns.length;
  const height = (bottom - top) / rows.length;
  const middle = (index, size, from) => from + (index + 0.5) * size;
  svg.replaceChildren(
    ...cells.map((cell) => {
      const at = { x: left + cell.column * width, y: top + cell.row * height, width, height };
      const [fill, ink] = cell.value === null ? ["transparent", "currentColor"] : color(place(cell.value));
      const parts = [svgElement("rect", { class: "cell", ...at, fill })];
      if (width > 44 && height > 16 && cell.value !== null) {
        const spot = { x: at.x + width / 2, y: at.y + height / 2 + 4, "text-anchor": "middle" };
        parts.push(svgElement("text", { class: "value", fill: ink, ...spot }, number(cell.value)));
      }
      return link(cell, ...parts);
    }),
    ...spread([...columns.keys()], Math.max(2, Math.floor((right - left) / 60))).map((index) =>
      svgElement("text", { x: middle(index, width, left), y: bottom + 18, "text-anchor": "middle" }, short(columns[index])),
    ),
    ...spread([...rows.keys()], Math.max(2, Math.floor((bottom - top) / 18))).map((index) =>
      svgElement("text", { x: left - 8, y: middle(index, height, top) + 4, "text-anchor": "end" }, short(rows[index])),
    ),
    ...axisWords(axis, down, box),
  );
}

function axisWords(across, down, { left, right, top, bottom }) {
  const upright = { transform: `translate(14 ${(top + bottom) / 2}) rotate(-90)`, "text-anchor": "middle" };
  return [
    svgElement("text", { class: "axis", x: (left + right) / 2, y: bottom + 38, "text-anchor": "middle" }, across),
    svgElement("text", { class: "axis", ...upright }, down),
  ];
}

function waiting(svg) {
  const { left, right, top, bottom } = area(svg);
  const at = { x: (left + right) / 2, y: (top + bottom) / 2, "text-anchor": "middle" };
  svg.replaceChildren(svgElement("text", at, "Nothing to show yet."));
}

function link({ href, title }, ...parts) {
  return svgElement("a", { href, "aria-label": title }, svgElement("title", {}, title), ...parts);
}

function short(value) {
  const text = words(value);
  return text.length > 11 ? `${text.slice(0, 10)}…` : text;
}

/** At most so many of a list, evenly taken. */
function spread(list, most) {
  const stride = Math.ceil(list.length / most);
  return list.filter((_, index) => index % stride === 0);
}

function ticks(values, log) {
  const low = Math.min(...values);
  const high = Math.max(...values);
  if (!(high > low)) return [low];
  if (!log) {
    const step = roundStep((high - low) / 5);
    const first = Math.ceil(low / step - 1e-9);
    const count = Math.floor(high / step + 1e-9) - first + 1;
    return Array.from({ length: count }, (_, k) => (first + k) * step);
  }
  const [from, to] = [Math.log10(Math.max(low, FLOOR)), Math.log10(Math.max(high, FLOOR))];
  const found = [];
  for (let decade = Math.floor(from); decade <= Math.ceil(to); decade++) {
    for (const digit of to - from > 2.2 ? [1] : [1, 2, 5]) {
      const value = digit * 10 ** decade;
      if (Math.log10(value) >= from && Math.log10(value) <= to) found.push(value);
    }
  }
  return found.length > 1 ? found : [low, high];
}

/** The color of a place in [0, 1], and an ink that can be read on it. */
function color(place) {
  const at = Math.min(Math.max(place, 0), 1) * (COLORS.length - 1);
  const index = Math.min(Math.floor(at), COLORS.length - 2);
  const mix = COLORS[index].map((from, k) => Math.round(from + (COLORS[index + 1][k] - from) * (at - index)));
  return [`rgb(${mix.join(" ")})`, place > 0.55 ? "#111111" : "#ffffff"];
}
