// The operations of the API with a curl example each, from /openapi.json.

import { getOpenAPI, listJobs } from "./api.js";
import { byId, element, notice } from "./format.js";

const METHODS = ["get", "post", "put", "delete"];

function resolve(root, node) {
  return node?.$ref ? node.$ref.split("/").slice(1).reduce((at, name) => at[name], root) : node;
}

const firstExample = (node) =>
  node?.example ?? Object.values(node?.examples ?? {})[0]?.value ?? node?.schema?.examples?.[0];

function curl(root, path, method, operation, jobId) {
  const parameters = (operation.parameters ?? []).map((parameter) => resolve(root, parameter));
  const value = (parameter) => parameter.example ?? firstExample(parameter);
  let url = path.replace(/\{(\w+)\}/g, (_, name) => {
    if (name === "job_id") return jobId ?? "JOB_ID";
    return value(parameters.find((parameter) => parameter.name === name)) ?? name.toUpperCase();
  });
  const query = parameters.filter((p) => p.in === "query" && p.required && value(p) !== undefined);
  if (query.length) url += `?${new URLSearchParams(query.map((p) => [p.name, value(p)]))}`;
  const words = ["curl"];
  if (url.endsWith("/events")) words.push("-N");
  if (method !== "get") words.push(`-X ${method.toUpperCase()}`);
  words.push(`'${location.origin}${url}'`);
  const body = resolve(root, operation.requestBody)?.content ?? {};
  const [type, content] = Object.entries(body)[0] ?? [];
  if (type) {
    words.push(`\\\n  -H 'Content-Type: ${type}'`);
    const data = JSON.stringify(firstExample(content) ?? {}).replaceAll("'", "'\\''");
    words.push(`\\\n  -d '${data}'`);
  }
  return words.join(" ");
}

function copyButton(text) {
  const copy = async (event) => {
    await navigator.clipboard.writeText(text);
    event.target.textContent = "Copied";
    setTimeout(() => (event.target.textContent = "Copy"), 1500);
  };
  // Browsers have no clipboard for pages that came over plain HTTP from another machine.
  if (!navigator.clipboard) return "";
  return element("button", { type: "button", class: "small", onclick: copy }, "Copy");
}

function parameterList(root, operation) {
  const parameters = (operation.parameters ?? []).map((parameter) => resolve(root, parameter));
  const items = parameters.map((parameter) =>
    element(
      "li",
      {},
      element("code", {}, parameter.name),
      ` (${parameter.in}${parameter.required ? ", required" : ""}) `,
      parameter.description ?? "",
    ),
  );
  return items.length ? [element("ul", {}, ...items)] : [];
}

function show(root, path, method, operation, jobId) {
  const example = curl(root, path, method, operation, jobId);
  const answers = Object.entries(operation.responses ?? {}).map(([status, response]) =>
    element("li", {}, element("code", {}, status), ` ${resolve(root, response).description ?? ""}`),
  );
  return element(
    "details",
    { class: "operation" },
    element(
      "summary",
      {},
      element("code", { class: `method ${method}` }, method.toUpperCase()),
      " ",
      element("code", {}, path),
      " ",
      element("span", { class: "quiet" }, operation.summary ?? ""),
    ),
    element("p", { class: "prose" }, operation.description ?? ""),
    ...parameterList(root, operation),
    element("div", { class: "example" }, element("pre", { tabindex: "0" }, example), copyButton(example)),
    element("ul", { class: "answers" }, ...answers),
  );
}

try {
  const root = await getOpenAPI();
  // With an id that exists the examples work as they stand.
  const newest = await listJobs({ limit: 1 }).then(({ jobs }) => jobs[0]?.id, () => undefined);
  const operations = Object.entries(root.paths).flatMap(([path, item]) =>
    METHODS.filter((method) => item[method]).map((method) => show(root, path, method, item[method], newest)),
  );
  byId("operations").replaceChildren(...operations);
} catch (error) {
  notice(error.message);
}
