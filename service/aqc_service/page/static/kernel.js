// One kernel: a form for each operation, its example filled in; Run shows the answer.

import { showAnswer } from "./answer.js";
import { getKernel, runKernel } from "./api.js";
import { byId, element, notice, number } from "./format.js";
import { SchemaForm } from "./schema_form.js";

const slug = byId("kernel").dataset.slug;
const buttons = [...document.querySelectorAll("[data-operation]")];
let kernel = null;
let operation = null;
let form = null;

function choose(name) {
  operation = kernel.operations.find((one) => one.name === name) ?? kernel.operations[0];
  for (const button of buttons) {
    button.setAttribute("aria-pressed", String(button.dataset.operation === operation.name));
  }
  const { limit } = operation;
  byId("summary").textContent = operation.summary;
  byId("limit").textContent =
    limit.max === null
      ? ""
      : `Answered at once up to ${number(limit.inline)} ${limit.unit}; a job up to ${number(limit.max)}.`;
  form = new SchemaForm(byId("fields"), operation.schema);
  form.fill(operation.example);
  byId("answer").hidden = true;
  showErrors([]);
  tell("");
}

const tell = (sentence) => (byId("told").textContent = sentence);

function showErrors(errors) {
  const others = form.showErrors(errors);
  byId("errors").replaceChildren(...others.map(({ detail }) => element("li", {}, detail)));
  byId("errors").hidden = !others.length;
}

async function run(event) {
  event.preventDefault();
  const asked = operation;
  byId("submit").disabled = true;
  showErrors([]);
  tell("Running …");
  try {
    const { answer, job } = await runKernel(slug, asked.name, form.values, asked.figure);
    if (job) {
      location.assign(`/ui/jobs/${encodeURIComponent(job.id)}`);
      return;
    }
    tell("");
    if (asked === operation) {
      showAnswer(byId("answer"), answer, `${slug}-${asked.name}.json`);
      byId("answer").scrollIntoView({ block: "start" });
    }
  } catch (error) {
    tell("");
    byId("answer").hidden = true;
    if (error.errors) showErrors(error.errors);
    else notice(error.message);
  } finally {
    byId("submit").disabled = false;
  }
}

try {
  kernel = await getKernel(slug);
  for (const button of buttons) {
    button.addEventListener("click", () => {
      history.replaceState(null, "", `#${button.dataset.operation}`);
      choose(button.dataset.operation);
    });
    button.disabled = false; // a click before now would have been lost
  }
  byId("reset").addEventListener("click", () => form.fill(operation.example));
  byId("form").addEventListener("submit", run);
  choose(location.hash.slice(1));
} catch (error) {
  notice(error.message);
}
