// A form made from a JSON Schema: numbers, choices and text have inputs, all else is JSON.

import { Refusal } from "./api.js";
import { element } from "./format.js";

const isNull = (schema) => schema.type === "null";

/** A schema without its null: [schema, whether null is allowed]. */
function present(schema) {
  if (!schema.anyOf) return [schema, false];
  const others = schema.anyOf.filter((option) => !isNull(option));
  const nullable = others.length < schema.anyOf.length;
  return [others.length === 1 ? others[0] : { ...schema, anyOf: others }, nullable];
}

/** What a value may be, in a few words. */
function words(schema) {
  if (schema.description) return schema.description;
  if (schema.anyOf) return [...new Set(schema.anyOf.map(words))].join(" or ");
  if (schema.enum) return "choice";
  if (schema.type === "array") return `list of ${words(schema.items)}`;
  if (schema.type === "object") return schema.title ?? "object";
  const bounds = [
    [schema.minimum, "≥"],
    [schema.exclusiveMinimum, ">"],
    [schema.maximum, "≤"],
    [schema.exclusiveMaximum, "<"],
  ];
  const told = bounds.filter(([bound]) => bound !== undefined).map(([b, sign]) => `${sign} ${b}`);
  return [schema.type, told.join(", ")].filter(Boolean).join(" ");
}

/** Arrays with a row on each line, as people read matrices. */
function pretty(value) {
  const depth = (x) => (Array.isArray(x) ? 1 + depth(x[0]) : 0);
  const write = (x, indent) => {
    if (!Array.isArray(x) || depth(x) < 2) return JSON.stringify(x);
    const inner = `${indent} `;
    return `[${x.map((item) => write(item, inner)).join(`,\n${inner}`)}]`;
  };
  if (value === null || typeof value !== "object" || Array.isArray(value)) return write(value, "");
  const lines = Object.entries(value).map(([key, item]) => `${JSON.stringify(key)}: ${write(item, " ")}`);
  return `{${lines.join(",\n ")}}`;
}

/** What an input means. A number that is none goes to the server, which says so in a sentence. */
function read(input) {
  const text = input.value.trim();
  if (input.dataset.reader === "text") return text;
  try {
    return JSON.parse(text);
  } catch (error) {
    if (input.tagName !== "TEXTAREA") return text;
    const detail = `This is not JSON: ${error.message}.`;
    throw new Refusal(422, { errors: [{ pointer: input.id.replace("a-", "/"), detail }] });
  }
}

export class SchemaForm {
  /** Fill `root` with inputs for the properties of `schema`. */
  constructor(root, schema) {
    this.inputs = new Map();
    const parts = Object.entries(schema.properties).map(([name, property]) =>
      this.field(name, property, schema.required.includes(name)),
    );
    root.replaceChildren(...parts);
  }

  field(name, property, required) {
    const [schema, nullable] = present(property);
    const input = this.control(name, schema, property.default, required);
    input.required = required;
    this.inputs.set(name, input);
    const kind = element("span", { class: "kind" }, ` ${words(schema)}${nullable ? ", or none" : ""}`);
    const label = element("label", { for: input.id }, name, kind);
    return element("div", { class: input.tagName === "TEXTAREA" ? "field wide" : "field" }, label, input);
  }

  control(name, schema, fallback, required) {
    const id = `a-${name}`;
    const choices = schema.type === "boolean" ? [true, false] : schema.enum;
    if (choices) {
      const options = choices.map((choice) =>
        element("option", { value: JSON.stringify(choice) }, String(choice)),
      );
      const unset = fallback === undefined || fallback === null ? "none" : `default: ${fallback}`;
      if (!required) options.unshift(element("option", { value: "" }, unset));
      return element("select", { id, "data-reader": "json" }, ...options);
    }
    if (["number", "integer", "string"].includes(schema.type)) {
      const reader = schema.type === "string" ? "text" : "json";
      const placeholder = fallback === undefined || fallback === null ? "" : String(fallback);
      const attributes = { id, placeholder, autocomplete: "off", "data-reader": reader };
      if (reader === "json") attributes.inputmode = "decimal";
      return element("input", attributes);
    }
    return element("textarea", { id, rows: required ? 5 : 2, spellcheck: "false", "data-reader": "json" });
  }

  /** Put values into the inputs; those without one are empty, which means their default. */
  fill(values) {
    for (const [name, input] of this.inputs) {
      const value = values[name];
      if (value === undefined || value === null) input.value = "";
      else if (input.tagName === "TEXTAREA") input.value = pretty(value);
      else if (input.dataset.reader === "text") input.value = value;
      else input.value = JSON.stringify(value);
    }
  }

  /** The values of all inputs that are not empty; throws a Refusal where one is no JSON. */
  get values() {
    const filled = [...this.inputs].filter(([, input]) => input.value.trim() !== "");
    return Object.fromEntries(filled.map(([name, input]) => [name, read(input)]));
  }

  /** Say what is wrong at the argument where it is wrong; return what belongs to none. */
  showErrors(errors) {
    for (const input of this.inputs.values()) {
      input.removeAttribute("aria-invalid");
      input.removeAttribute("aria-describedby");
      input.parentElement.querySelector(".error")?.remove();
    }
    const others = errors.filter(({ pointer, detail }) => {
      const input = this.inputs.get((pointer ?? "").split("/")[1]);
      if (!input || input.hasAttribute("aria-invalid")) return !input;
      const id = `${input.id}-error`;
      input.setAttribute("aria-invalid", "true");
      input.setAttribute("aria-describedby", id);
      input.parentElement.append(element("p", { class: "error", id }, detail));
      return false;
    });
    [...this.inputs.values()].find((input) => input.hasAttribute("aria-invalid"))?.focus();
    return others;
  }
}
