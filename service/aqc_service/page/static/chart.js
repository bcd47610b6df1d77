// The infidelity against evaluations on a log axis, with Trotter's and the goal as lines.

import { number, roundStep, superscript, svgElement } from "./format.js";

const FLOOR = 1e-16; // a converged or zero infidelity still needs a place on a log axis
const EDGE = { left: 50, right: 12, top: 12, bottom: 36 };

export class Chart {
  constructor(svg) {
    this.svg = svg;
    this.points = []; // [evaluations, infidelity]
    this.levels = []; // {value, label, name}
    this.frame = 0;
    new ResizeObserver(() => this.plan()).observe(svg);
  }

  /** A later attempt goes on from a checkpoint: what it tells again replaces what was told. */
  add(evaluations, infidelity) {
    while (this.points.length && this.points.at(-1)[0] >= evaluations) this.points.pop();
    this.points.push([evaluations, infidelity]);
    this.plan();
  }

  replace(points) {
    this.points = points.map((point) => [...point]);
    this.plan();
  }

  level(name, label, value) {
    this.levels = this.levels.filter((level) => level.name !== name);
    if (value > 0) this.levels.push({ name, label, value });
    this.plan();
  }

  get best() {
    return this.points.length ? Math.min(...this.points.map((point) => point[1])) : null;
  }

  /** Draw once before the next frame, however many points arrive. */
  plan() {
    this.frame ||= requestAnimationFrame(() => {
      this.frame = 0;
      this.draw();
    });
  }

  draw() {
    const { width, height } = this.svg.getBoundingClientRect();
    if (!width) return;
    this.svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    const values = [...this.points.map((p) => p[1]), ...this.levels.map((level) => level.value)];
    const logs = (values.length ? values : [0.01, 1]).map((v) => Math.log10(Math.max(v, FLOOR)));
    const low = Math.min(...logs) - 0.15;
    const high = Math.max(...logs) + 0.15;
    const longest = Math.max(10, ...this.points.map((point) => point[0]));
    const bottom = height - EDGE.bottom;
    const x = (e) => EDGE.left + ((width - EDGE.left - EDGE.right) * e) / longest;
    const y = (v) => {
      const part = (Math.log10(Math.max(v, FLOOR)) - low) / (high - low);
      return bottom - (bottom - EDGE.top) * part;
    };
    const area = { x, y, bottom, left: EDGE.left, right: width - EDGE.right };
    this.svg.replaceChildren(
      ...yAxis(low, high, area),
      ...xAxis(longest, area),
      ...this.levels.flatMap((level) => levelLine(level, area)),
      ...(this.points.length ? curve(this.points, area) : [waiting(area)]),
    );
  }
}

function yAxis(low, high, { y, left, right }) {
  const ticks = [];
  for (let decade = Math.floor(low); decade <= Math.ceil(high); decade++) {
    // Within two decades one line for each decade says too little.
    for (const digit of high - low > 2.2 ? [1] : [1, 2, 5]) {
      const log = decade + Math.log10(digit);
      if (log >= low && log <= high) ticks.push([digit * 10 ** decade, digit, decade]);
    }
  }
  return ticks.flatMap(([value, digit, decade]) => [
    svgElement("line", { class: "grid", x1: left, x2: right, y1: y(value), y2: y(value) }),
    svgElement(
      "text",
      { class: "tick", x: left - 6, y: y(value) + 4, "text-anchor": "end" },
      decade >= -2 && decade <= 0 ? number(value) : `${digit === 1 ? "" : `${digit}·`}10${superscript(decade)}`,
    ),
  ]);
}

function xAxis(longest, { x, bottom, left, right }) {
  const step = roundStep(longest / Math.max(2, Math.floor((right - left) / 90)));
  const marks = [];
  for (let e = 0; e <= longest; e += step) {
    marks.push(svgElement("text", { class: "tick", x: x(e), y: bottom + 16, "text-anchor": "middle" }, String(e)));
  }
  marks.push(
    svgElement("text", { class: "tick", x: right, y: bottom + 30, "text-anchor": "end" }, "evaluations"),
  );
  return marks;
}

// Labels stand at opposite ends: the curve falls from the upper left to the lower right.
function levelLine({ name, label, value }, { y, left, right }) {
  const atRight = name === "trotter";
  return [
    svgElement("line", { class: `level ${name}`, x1: left, x2: right, y1: y(value), y2: y(value) }),
    svgElement(
      "text",
      {
        class: `label ${name}`,
        x: atRight ? right - 4 : left + 6,
        y: y(value) + (atRight ? 15 : -6),
        "text-anchor": atRight ? "end" : "start",
      },
      `${label} ${number(value)}`,
    ),
  ];
}

function waiting({ left, right, bottom }) {
  const at = { class: "tick", x: (left + right) / 2, y: bottom - 24, "text-anchor": "middle" };
  return svgElement("text", at, "The curve begins with the optimization.");
}

function curve(points, { x, y }) {
  let best = Infinity;
  let path = "";
  for (const [e, v] of points) {
    if (path) path += `H${x(e).toFixed(1)}`;
    best = Math.min(best, v);
    path += `${path ? "V" : `M${x(e).toFixed(1)} `}${y(best).toFixed(1)}`;
  }
  const [lastE] = points.at(-1);
  return [
    ...points.map(([e, v]) => svgElement("circle", { class: "dot", cx: x(e), cy: y(v), r: 2 })),
    svgElement("path", { class: "curve", d: path }),
    svgElement("circle", { class: "head", cx: x(lastE), cy: y(best), r: 4 }),
  ];
}
