// What came out: the circuit beside Trotter's, downloads, the drawing, the certificate in words.

import { byId, element, number, title } from "./format.js";

const FORMATS = [
  ["qasm3", "OpenQASM 3", ".qasm"],
  ["qasm2", "OpenQASM 2", ".qasm2"],
  ["qpy", "Qiskit QPY", ".qpy"],
  ["json", "All numbers, JSON", ".json"],
];

const STATUS = {
  goal_reached: "The goal is reached.",
  stalled: "The goal is missed: the optimizer found nothing better.",
  max_steps_reached: "The goal is missed: all evaluations are used.",
  max_depth_reached: "The goal is missed: the memory allowed holds no more layers.",
  interrupted: "Stopped early: this is the best circuit so far.",
};

const UNCERTIFIED = "Not certified: the job ended before its circuit was measured again.";

/** Show a circuit; `row` says which one of several times it is of, the last without it. */
export function showResult(id, job, result, row = null) {
  const query = row ? { time_number: row.number } : {};
  byId("result").hidden = false;
  byId("circuit-title").textContent = job.kind === "series" ? `Circuit for t = ${result.problem.time}` : "Circuit";
  showDownloads(id, job, query);
  if (result.certificate) showDrawing(id, query);
  showComparison(result);
  showSweep(id, result, query);
  byId("certificate").replaceChildren(...(result.certificate ? certificate(result) : [UNCERTIFIED]));
}

function address(id, path, query) {
  const text = new URLSearchParams(query).toString();
  return `/v1/jobs/${encodeURIComponent(id)}/${path}${text && `?${text}`}`;
}

function showComparison(result) {
  const { trotter } = result;
  const row = (name, values) =>
    element("tr", {}, element("th", { scope: "row" }, name), ...values.map((v) => element("td", {}, String(v))));
  const columns = (c) => [c.two_qubit_gates, c.two_qubit_depth, number(c.infidelity)];
  const rows = [row(result.certificate ? "This circuit" : "Best so far", columns(result))];
  if (trotter) rows.push(row(`Best Trotter, order ${trotter.order}`, columns(trotter)));
  byId("comparison").replaceChildren(...rows);
  byId("versus").textContent = [STATUS[result.optimizer?.status], versus(result)].filter(Boolean).join(" ");
}

/** The infidelity against the depth, where several depths were fitted. */
function showSweep(id, { sweep = [] }, query) {
  byId("sweep").hidden = sweep.length < 2;
  if (sweep.length < 2) return;
  const onDevice = "total_fidelity" in sweep[0]; // the circuit's own fidelity times the noise's
  const head = ["Brick layers", "Infidelity", "Not optimized", "Evaluations", ...(onDevice ? ["Fidelity on the device"] : [])];
  const cells = (entry) => [
    number(entry.infidelity),
    number(entry.start_infidelity),
    String(entry.evaluations),
    ...(onDevice ? [number(entry.total_fidelity)] : []),
  ];
  const row = (entry) =>
    element("tr", {}, element("th", { scope: "row" }, String(entry.layers)), ...cells(entry).map((c) => element("td", {}, c)));
  byId("sweep").replaceChildren(
    element(
      "table",
      {},
      element("thead", {}, element("tr", {}, ...head.map((word) => element("th", { scope: "col" }, word)))),
      element("tbody", {}, ...sweep.map(row)),
    ),
    element("a", { href: address(id, "plots/sweep.svg", query) }, "As a figure"),
  );
}

function versus({ infidelity, trotter, two_qubit_depth: depth }) {
  if (!(infidelity > 0 && trotter?.infidelity > 0)) return "";
  const ratio = trotter.infidelity / infidelity;
  const at = trotter.two_qubit_depth > depth ? `at depth ${trotter.two_qubit_depth}` : "at the same depth";
  if (ratio >= 1) return `Plain Trotter ${at} is ${number(ratio)} times further off.`;
  return `Plain Trotter ${at} comes closer here; a smaller goal or more layers would change that.`;
}

function showDownloads(id, job, query) {
  const stem = title(job).replace(/[^\w.-]+/g, "-");
  byId("downloads").replaceChildren(
    ...FORMATS.map(([format, words, ending]) =>
      element(
        "a",
        {
          class: "button",
          href: address(id, "result", { format, ...query }),
          download: [stem, ...Object.values(query)].join("-") + ending,
        },
        words,
      ),
    ),
  );
}

function showDrawing(id, query) {
  const image = element("img", {
    src: address(id, "plots/circuit.svg", query),
    alt: "The circuit as blocks: one row for each qubit, time from left to right.",
  });
  image.addEventListener("error", () => byId("drawing").replaceChildren());
  byId("drawing").replaceChildren(
    image,
    element("figcaption", { class: "quiet" }, "Each block is a two-qubit gate; its color says how much it entangles."),
  );
}

function certificate({ certificate: c }) {
  const rigorous = c.bound_kind === "rigorous";
  const bound = element("strong", {}, number(c.infidelity_bound));
  return [
    element(
      "p",
      {},
      "The finished circuit was measured again by other code (",
      c.method,
      "). Against the exact evolution, 1 − F is at most ",
      bound,
      rigorous ? "; this bound is rigorous." : "; this holds as far as the estimate of the time step is right.",
    ),
    element(
      "ul",
      {},
      element("li", {}, `${number(c.infidelity)} is the circuit's infidelity against the computed target;`),
      element("li", {}, `${number(c.target_truncation)} at most was lost in truncating the target;`),
      element("li", {}, `${number(c.target_trotter_estimate)} is the estimated cost of the target's time step;`),
      element("li", {}, `${number(c.circuit_truncation)} at most was lost in simulating the circuit.`),
    ),
  ];
}
