// The answer of a kernel: numbers in a table, arrays by their shape, and the figure.

import { duration, element, number } from "./format.js";

const isObject = (value) => value !== null && typeof value === "object" && !Array.isArray(value);
const isComplex = (value) => isObject(value) && Object.keys(value).sort().join() === "im,re";
const MOST_SHOWN = 4000; // characters of an array

function shape(value) {
  if (isComplex(value)) return shape(value.re);
  return Array.isArray(value) ? [value.length, ...shape(value[0])] : [];
}

function scalar(value) {
  if (typeof value === "number") return Number.isInteger(value) ? String(value) : number(value);
  if (isComplex(value)) return `${number(value.re)} + ${number(value.im)} i`;
  return value === null ? "none" : String(value);
}

const time = (seconds) => (seconds < 1 ? `${Math.ceil(1e3 * seconds)} ms` : duration(seconds));

function array(value) {
  const size = shape(value).join(" × ");
  if (!isComplex(value) && value.length < 7 && !Array.isArray(value[0])) {
    return value.map((item) => (isObject(item) ? JSON.stringify(item) : scalar(item))).join(", ");
  }
  const text = JSON.stringify(value);
  const cut = text.length > MOST_SHOWN ? `${text.slice(0, MOST_SHOWN)} …` : text;
  return element("details", {}, element("summary", {}, size), element("pre", { tabindex: "0" }, cut));
}

function rows(value, name) {
  if (isObject(value) && !(isComplex(value) && !Array.isArray(value.re))) {
    if (isComplex(value)) return [[name, array(value)]];
    return Object.entries(value).flatMap(([key, item]) => rows(item, name ? `${name}.${key}` : key));
  }
  return [[name, Array.isArray(value) ? array(value) : scalar(value)]];
}

/** Fill `root` with an answer: {operation, seconds, notice, figure, result}. */
export function showAnswer(root, answer, fileName) {
  const table = element(
    "table",
    {},
    element(
      "tbody",
      {},
      ...rows(answer.result, "").map(([name, value]) =>
        element("tr", {}, element("th", { scope: "row" }, name || "result"), element("td", {}, value)),
      ),
    ),
  );
  const file = new Blob([JSON.stringify(answer)], { type: "application/json" });
  const parts = [
    element("h2", {}, "Answer"),
    element("p", { class: "quiet" }, `${answer.operation}, ${time(answer.seconds)}`),
  ];
  if (answer.notice) parts.push(element("p", { class: "notice" }, answer.notice));
  parts.push(element("div", { class: "scroll" }, table));
  const href = URL.createObjectURL(file);
  const link = element("a", { class: "button", href, download: fileName }, "Download as JSON");
  parts.push(element("p", { class: "actions" }, link));
  const columns = [element("div", {}, ...parts)];
  if (answer.figure) {
    const alt = `Figure of the answer of ${answer.operation}`;
    columns.push(element("figure", { class: "drawing" }, element("img", { src: answer.figure, alt })));
  }
  root.replaceChildren(...columns);
  root.hidden = false;
}
