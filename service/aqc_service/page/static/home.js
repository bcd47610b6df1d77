// The start page: a problem, its estimate, Compile; and the list of jobs.

import * as api from "./api.js";
import { Form } from "./form.js";
import { byId, bytes, describe, duration, notice } from "./format.js";
import { JobList } from "./jobs.js";

const PAUSE = 400; // milliseconds without typing before the server is asked
const DRAFT = "aqc-problem";

const presets = [...document.querySelectorAll("[data-preset]")];
const button = byId("submit");
let timer = 0;
let question = null;

const form = new Form(byId("form"), () => {
  const text = JSON.stringify(form.problem);
  byId("name").placeholder = describe(form.problem);
  sessionStorage.setItem(DRAFT, text);
  for (const preset of presets) {
    preset.setAttribute("aria-pressed", String(preset.dataset.preset === text));
  }
  clearTimeout(timer);
  timer = setTimeout(askEstimate, PAUSE);
});

async function askEstimate() {
  question?.abort();
  question = new AbortController();
  const line = byId("estimate");
  try {
    const answer = await api.estimate(form.problem, question.signal);
    form.showErrors([]);
    line.textContent = words(answer);
  } catch (error) {
    if (error.name === "AbortError") return;
    line.textContent = "";
    if (error.status === 422) form.showErrors(error.errors);
    else if (error.status === 0) notice(error.message);
    else line.textContent = error.message;
  }
}

function words({ fits, memory_bytes: memory, memory_limit_bytes: limit, seconds, warnings }) {
  const parts = [`Needs about ${bytes(memory)} of memory.`];
  if (!fits) parts.push(`That is more than the ${bytes(limit)} allowed: it would be refused.`);
  parts.push(`Takes about ${duration(seconds)} if all evaluations are used (an estimate).`);
  return [...parts, ...warnings].join(" ");
}

async function compile(event) {
  event.preventDefault();
  if (!form.isReadable) return form.focusError();
  clearTimeout(timer);
  question?.abort();
  button.disabled = true;
  try {
    // A list of jobs without names would say nothing.
    const job = await api.submit({ name: describe(form.problem), ...form.problem });
    location.assign(`/ui/jobs/${encodeURIComponent(job.id)}`);
  } catch (error) {
    form.showErrors(error.errors ?? [{ pointer: "", detail: error.message }]);
    form.focusError();
  }
  button.disabled = false;
}

async function firstProblem() {
  const from = new URLSearchParams(location.search).get("from");
  if (from) {
    try {
      const job = await api.getJob(from);
      return job.name ? { ...job.problem, name: job.name } : job.problem;
    } catch (error) {
      notice(error.message);
    }
  }
  return JSON.parse(sessionStorage.getItem(DRAFT) ?? presets[0].dataset.preset);
}

for (const preset of presets) {
  // The template and JSON.stringify write the same JSON differently.
  preset.dataset.preset = JSON.stringify(JSON.parse(preset.dataset.preset));
  preset.addEventListener("click", () => form.load(JSON.parse(preset.dataset.preset)));
}
byId("form").addEventListener("submit", compile);
window.addEventListener("pageshow", () => (button.disabled = false));
form.load(await firstProblem());
new JobList();
