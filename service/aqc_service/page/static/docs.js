// The operations of the API with their curl examples, from /openapi.json.

import { getOpenAPI, listJobs } from "./api.js";
import { byId, element, notice } from "./format.js";

const METHODS = ["get", "post", "put", "delete"];
const FENCE = /```sh\n([\s\S]*?)```/g;

const resolve = (root, node) =>
  node.$ref ? node.$ref.split("/").slice(1).reduce((at, name) => at[name], root) : node;

/** The commands of a description, against this server and, if there is one, a job that exists. */
function examples(description, newest) {
  return [...description.matchAll(FENCE)].map(([, code]) => {
    const here = code.trim().replaceAll(/http:\/\/127\.0\.0\.1:\d+/g, location.origin);
    return newest ? here.replaceAll("$JOB", newest) : here;
  });
}

function example(text) {
  const copy = async (event) => {
    await navigator.clipboard.writeText(text);
    event.target.textContent = "Copied";
    setTimeout(() => (event.target.textContent = "Copy"), 1500);
  };
  const pre = element("pre", { tabindex: "0" }, text);
  // Browsers have no clipboard for pages that came over plain HTTP from another machine.
  if (!navigator.clipboard) return pre;
  const button = element("button", { type: "button", class: "small", onclick: copy }, "Copy");
  return element("div", { class: "example" }, pre, button);
}

function list(title, entries) {
  if (!entries.length) return [];
  const items = entries.map(([code, words]) =>
    element("li", {}, element("code", {}, code), ` ${words ?? ""}`),
  );
  return [element("h3", {}, title), element("ul", {}, ...items)];
}

function operation(root, path, method, { description = "", parameters = [], responses = {} }, newest) {
  const [prose] = description.split("```");
  const [first, ...rest] = prose.trim().split("\n\n");
  const known = parameters.map((parameter) => resolve(root, parameter));
  return element(
    "details",
    { class: "operation" },
    element(
      "summary",
      {},
      element("code", { class: `method ${method}` }, method.toUpperCase()),
      element("code", {}, path),
      element("span", { class: "quiet" }, first),
    ),
    ...rest.map((paragraph) => element("p", {}, paragraph)),
    ...examples(description, newest).map(example),
    ...list("Parameters", known.map((p) => [p.name, `(${p.in}) ${p.description ?? ""}`])),
    ...list("Answers", Object.entries(responses).map(([status, r]) => [status, resolve(root, r).description])),
  );
}

try {
  const root = await getOpenAPI();
  // With the id of a job that exists the examples work as they stand.
  const newest = await listJobs({ limit: 1 }).then(({ jobs }) => jobs[0]?.id, () => undefined);
  const operations = Object.entries(root.paths).flatMap(([path, item]) =>
    METHODS.filter((method) => item[method]).map((method) =>
      operation(root, path, method, item[method], newest),
    ),
  );
  byId("operations").replaceChildren(...operations);
} catch (error) {
  notice(error.message);
}
