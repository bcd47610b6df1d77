// Several times of one job: a row and a point in the figures for each that is done.

import { byId, element, number } from "./format.js";
import { drawCurves } from "./sweep_plot.js";

const FORMATS = { qasm3: "QASM 3", qasm2: "QASM 2", qpy: "QPY", json: "JSON" };
const TROTTER = "Dashed: the best Trotter circuit, no shallower.";

export class Series {
  /** `onChoose(row)` is called when somebody wants to see a time's circuit. */
  constructor(id, onChoose) {
    this.id = id;
    this.onChoose = onChoose;
    this.rows = new Map(); // number of the time -> row, in their order
    for (const figure of ["times-infidelity", "times-depth"]) {
      new ResizeObserver(() => this.rows.size && this.draw()).observe(byId(figure));
    }
  }

  /** Take rows, known ones or new. */
  add(rows) {
    if (!rows.length) return;
    for (const row of rows) this.rows.set(row.number, row);
    byId("times").hidden = false;
    byId("times-rows").replaceChildren(...[...this.rows.values()].map((row) => this.tableRow(row)));
    this.draw();
  }

  /** Evaluations of all times before one. */
  spentBefore(timeNumber) {
    const earlier = [...this.rows.values()].filter((row) => row.number < timeNumber);
    return earlier.reduce((sum, row) => sum + row.evaluations, 0);
  }

  href(row, format) {
    return `/v1/jobs/${encodeURIComponent(this.id)}/result?time_number=${row.number}&format=${format}`;
  }

  tableRow(row) {
    const choose = element("button", { type: "button", class: "small", onclick: () => this.onChoose(row) }, number(row.time));
    const numbers = [
      String(row.layers),
      String(row.two_qubit_depth),
      number(row.infidelity),
      number(row.infidelity_bound),
      number(row.trotter_infidelity),
      String(row.evaluations),
    ];
    const links = Object.entries(FORMATS).flatMap(([format, words]) => {
      const name = `${words}, t = ${number(row.time)}`;
      return [" ", element("a", { href: this.href(row, format), "aria-label": name }, words)];
    });
    return element(
      "tr",
      {},
      element("th", { scope: "row" }, choose),
      ...numbers.map((text) => element("td", {}, text)),
      element("td", { class: "links" }, ...links),
    );
  }

  draw() {
    const curve = (name, quantity) => ({
      name,
      points: [...this.rows.values()]
        .filter((row) => row[quantity] !== null)
        .map((row) => ({
          x: row.time,
          value: row[quantity],
          href: this.href(row, "qasm3"),
          title: `t = ${number(row.time)}: ${number(row[quantity])}`,
        })),
    });
    const curves = [curve("trotter", "trotter_infidelity"), curve("ours", "infidelity")];
    drawCurves(byId("times-infidelity"), { curves, axis: "time", quantity: "Infidelity", log: true });
    const depth = { curves: [curve("ours", "two_qubit_depth")], axis: "time", quantity: "Two-qubit depth" };
    drawCurves(byId("times-depth"), { ...depth, log: false });
    byId("times-words").textContent = `Infidelity and depth against the time. ${TROTTER}`;
  }
}
