// How numbers, times and certificates read, and how elements are made.

/** Three significant digits; powers of ten where zeros would have to be counted. */
export function number(value) {
  if (value === null || value === undefined) return "–";
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size < 1e-3 || size >= 1e5) {
    const [digits, power] = value.toExponential(2).split("e");
    return `${Number(digits) === 1 ? "" : `${Number(digits)}·`}10${superscript(Number(power))}`;
  }
  return String(Number(value.toPrecision(3)));
}

/** The next of 1, 2, 5, 10, 20, ... for the marks of an axis. */
export function roundStep(rough) {
  const power = 10 ** Math.floor(Math.log10(rough));
  return [1, 2, 5, 10].map((digit) => digit * power).find((size) => size >= rough);
}

export function superscript(power) {
  const digits = "⁰¹²³⁴⁵⁶⁷⁸⁹";
  return [...String(power)].map((c) => (c === "-" ? "⁻" : digits[c])).join("");
}

export function bytes(value) {
  return value < 1e9 ? `${Math.ceil(value / 1e6)} MB` : `${number(value / 1e9)} GB`;
}

export function duration(seconds) {
  if (seconds < 60) return `${seconds.toFixed(seconds < 10 ? 1 : 0)} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${Math.floor(seconds % 60)} s`;
  return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
}

export function ago(moment) {
  const seconds = (Date.now() - new Date(moment)) / 1000;
  if (seconds < 60) return "just now";
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  if (seconds < 86400) return `${Math.floor(seconds / 3600)} h ago`;
  return new Date(moment).toLocaleDateString();
}

/** What a job is called: its name, or what it computes. */
export function title(job) {
  return job.name || (job.problem ? describe(job.problem) : `${job.num_qubits} sites`);
}

export function describe(problem) {
  const { hamiltonian, target } = problem;
  if (target?.circuit) return "State of a circuit";
  if (target?.state) return "Matrix product state";
  const model = hamiltonian?.model?.replaceAll?.("_chain", "").replaceAll("_", " ") ?? "Terms";
  const name = model === "xxz" || model === "xyz" ? model.toUpperCase() : model;
  const parts = [`${name[0]?.toUpperCase() ?? ""}${name.slice(1)}`, `${hamiltonian?.num_qubits} sites`, times(problem)];
  return parts.filter(Boolean).join(", ");
}

/** The time of a problem, or its several times in short; "" where there is none. */
export function times({ time, times: several }) {
  if (Array.isArray(several) && several.length) return `t = ${several[0]} … ${several.at(-1)} (${several.length} times)`;
  return time == null ? "" : `t = ${time}`; // none where a target is given
}

const SVG = "http://www.w3.org/2000/svg";

/** Make an element: element("a", {href: "/"}, "Home"). */
export function element(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

export function svgElement(tag, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value !== null && value !== false) node.setAttribute(name, value);
  }
  node.append(...children);
  return node;
}

export const byId = (id) => document.getElementById(id);

/** Say something at the top of the page; "" takes it away. */
export function notice(sentence) {
  byId("notice").textContent = sentence;
  byId("notice").hidden = !sentence;
}

/** Let a button do something once at a time, and say why it could not. */
export function act(button, action) {
  byId(button).addEventListener("click", async (event) => {
    event.target.disabled = true;
    try {
      await action();
    } catch (error) {
      notice(error.message);
    }
    event.target.disabled = false;
  });
}
