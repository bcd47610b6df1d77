// The form: every input edits the one problem, and follows it when it was pasted as JSON.

import { byId, element } from "./format.js";

const PARSERS = {
  text: (text) => text,
  number: toNumber,
  numbers: (text) => (/^\[|,/.test(text) ? toList(text) : toNumber(text)),
  state: (text) => (/^[[{]/.test(text) ? toJSON(text) : text),
  json: toJSON,
};

// What is not a number goes to the server as it is, which says so in a sentence.
function toNumber(text) {
  const value = Number(text);
  return Number.isFinite(value) ? value : text;
}

const toList = (text) =>
  text.replace(/^\[|\]$/g, "").split(",").map((part) => part.trim()).filter(Boolean).map(toNumber);

function toJSON(text) {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function show(value, kind) {
  if (value === undefined || value === null) return "";
  if (kind === "json" && Array.isArray(value)) {
    return `[${value.map((term) => JSON.stringify(term)).join(",\n ")}]`;
  }
  if (kind === "numbers" && Array.isArray(value)) return value.join(", ");
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

const steps = (pointer) => pointer.split("/").slice(1);
const getAt = (tree, pointer) => steps(pointer).reduce((node, step) => node?.[step], tree);

function setAt(tree, pointer, value) {
  const names = steps(pointer);
  const last = names.pop();
  const parents = [tree];
  for (const name of names) {
    const parent = parents.at(-1);
    if (typeof parent[name] !== "object" || parent[name] === null) parent[name] = {};
    parents.push(parent[name]);
  }
  if (value !== undefined) parents.at(-1)[last] = value;
  else delete parents.at(-1)[last];
  // A group that nothing is set in is left out.
  for (let i = names.length; i > 0 && !Object.keys(parents[i]).length; i--) {
    delete parents[i - 1][names[i - 1]];
  }
}

export class Form {
  /** `onChange()` is called after every change of the problem. */
  constructor(root, onChange) {
    this.root = root;
    this.onChange = onChange;
    this.problem = {};
    this.json = byId("json");
    this.model = byId("model");
    root.addEventListener("input", (event) => this.edited(event.target));
  }

  get isReadable() {
    return !this.json.hasAttribute("aria-invalid");
  }

  inputs() {
    const all = [...this.root.querySelectorAll("[data-pointer]")];
    return all.filter((input) => !input.closest("fieldset")?.disabled);
  }

  load(problem) {
    this.problem = structuredClone(problem);
    this.json.value = JSON.stringify(problem, null, 2);
    this.fill();
    this.changed();
  }

  edited(input) {
    if (input === this.json) {
      if (!this.readJSON()) return;
      this.fill();
    } else if (input === this.model) {
      this.choose(input.value);
    } else {
      this.take(input);
    }
    if (input !== this.json) this.json.value = JSON.stringify(this.problem, null, 2);
    this.changed();
  }

  /** Put what was typed into the problem; a list may have a place of its own. */
  take(input) {
    const { pointer, list } = input.dataset;
    const value = this.read(input);
    const several = Boolean(list) && Array.isArray(value);
    if (list) setAt(this.problem, list, several ? value : undefined);
    setAt(this.problem, pointer, several ? undefined : value);
  }

  changed() {
    this.showErrors([]);
    this.onChange();
  }

  read(input) {
    const text = input.value.trim();
    return text === "" ? undefined : PARSERS[input.dataset.kind](text);
  }

  readJSON() {
    let problem = null;
    let fault = "It must be a JSON object.";
    try {
      problem = JSON.parse(this.json.value);
    } catch (error) {
      fault = `This is not JSON: ${error.message}.`;
    }
    const good = problem !== null && typeof problem === "object" && !Array.isArray(problem);
    if (good) this.problem = problem;
    this.showErrors([]);
    if (!good) this.mark(this.json, fault);
    return good;
  }

  /** Put the problem into the inputs. */
  fill() {
    const { hamiltonian = {} } = this.problem;
    this.model.value = hamiltonian?.model ?? "";
    this.activate();
    for (const input of this.inputs()) {
      if (input === this.model) continue;
      const { pointer, list } = input.dataset;
      const several = list && getAt(this.problem, list);
      const value = getAt(this.problem, pointer) ?? several ?? input.dataset.default;
      input.value = show(value, input.dataset.kind);
    }
  }

  activate() {
    for (const fieldset of this.root.querySelectorAll("fieldset.model")) {
      fieldset.hidden = fieldset.disabled = fieldset.dataset.model !== this.model.value;
    }
  }

  /** Another Hamiltonian, with the parameters that were typed for it before. */
  choose(model) {
    this.activate();
    const num_qubits = getAt(this.problem, "/hamiltonian/num_qubits");
    this.problem.hamiltonian = model ? { model, num_qubits } : { num_qubits, terms: [] };
    for (const input of this.inputs()) {
      const value = input.closest("fieldset.model") ? this.read(input) : undefined;
      if (value !== undefined) setAt(this.problem, input.dataset.pointer, value);
    }
  }

  /** Say what is wrong at the field where it is wrong, the rest in a list. */
  showErrors(errors) {
    for (const old of this.root.querySelectorAll(".error")) old.remove();
    for (const input of this.root.querySelectorAll("[aria-invalid]")) {
      input.removeAttribute("aria-invalid");
      input.setAttribute("aria-describedby", `${input.id}-hint`);
    }
    const others = errors.filter(({ pointer, detail }) => {
      const input = this.find(pointer);
      if (input) this.mark(input, detail);
      return !input;
    });
    const list = byId("errors");
    list.replaceChildren(
      ...others.map(({ pointer, detail }) => element("li", {}, pointer ? `${pointer}: ` : "", detail)),
    );
    list.hidden = !others.length;
  }

  focusError() {
    this.root.querySelector("[aria-invalid]")?.focus();
  }

  /** The input of a pointer, or of the nearest one above it. */
  find(pointer) {
    const inputs = this.inputs();
    for (let at = pointer ?? ""; at; at = at.slice(0, at.lastIndexOf("/"))) {
      const input = inputs.find(({ dataset }) => dataset.pointer === at || dataset.list === at);
      if (input) return input;
    }
    return null;
  }

  mark(input, sentence) {
    const id = `${input.id}-error`;
    if (byId(id)) return;
    input.setAttribute("aria-invalid", "true");
    input.setAttribute("aria-describedby", `${input.id}-hint ${id}`);
    input.parentElement.append(element("p", { class: "error", id }, sentence));
    const details = input.closest("details");
    if (details) details.open = true;
  }
}
