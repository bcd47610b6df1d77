// One job: its events as they come, then its circuit and certificate.

import * as api from "./api.js";
import { Chart } from "./chart.js";
import { act, byId, duration, notice, number, times, title } from "./format.js";
import { showKernelEnd, showKernelJob } from "./kernel_job.js";
import { showResult } from "./result.js";
import { Series } from "./series.js";

const id = byId("job").dataset.job;
const chart = new Chart(byId("chart"));
const series = new Series(id, choose);
const STAGES = ["import", "target", "compile", "optimize", "certify", "write"];
const ENDED = ["succeeded", "failed", "cancelled"];
const WORDS = {
  queued: "Waiting for a worker.",
  cancelling: "Stopping; the best circuit so far is kept.",
  cancelled: "Cancelled. What it had found so far is kept.",
};

let job = null;
let pending = 0;
let asked = null; // settles with the last answer that was asked for
let leaving = false;
let shown = false;
let timeNumber = null; // of several times: whose curve the chart shows

function onEvent({ kind, data }) {
  if (kind === "progress") return showProgress(data);
  if (kind === "message") return say(data.text);
  showState(data.state);
  // The past is told in one go: ask once for where it led to.
  clearTimeout(pending);
  pending = setTimeout(refresh, 50);
}

function refresh() {
  if (!leaving) asked = Promise.all([asked, load()]);
  return asked;
}

async function load() {
  try {
    job = await api.getJob(id);
  } catch (error) {
    if (error.status === 404) stop();
    notice(error.message);
    return;
  }
  showJob();
  if (ENDED.includes(job.state)) {
    stop();
    clearTimeout(lost);
    notice("");
    await showEnd();
  } else {
    notice(job.notes.join(" "));
  }
}

function showJob() {
  document.title = `${title(job)} · aqc`;
  byId("title").textContent = title(job);
  if (job.kind === "kernel") {
    showState(job.state);
    showKernelJob(job);
    return;
  }
  const parts = [`${job.num_qubits} qubits`];
  const when = times(job.problem);
  if (when) parts.push(when);
  if (job.problem.mode === "unitary") parts.push("every input");
  const { layers } = job.problem.ansatz;
  parts.push(layers === "auto" ? "as few brick layers as can be" : `${[layers].flat().join(", ")} brick layers`);
  if (job.attempt > 1) parts.push(`attempt ${job.attempt}`);
  byId("facts").textContent = [...parts, ...(job.tags ?? [])].join(" · ");
  byId("goal").textContent = number(job.problem.goal.infidelity);
  chart.level("goal", "goal", job.problem.goal.infidelity);
  byId("problem").textContent = JSON.stringify(job.problem, null, 2);
  byId("problem-details").hidden = false;
  byId("edit").href = `/?from=${encodeURIComponent(id)}`;
  byId("edit").hidden = false;
  series.add(job.series ?? []);
  showState(job.state);
  if (job.progress) showProgress({ ...job.progress, points: [] });
}

function showState(state) {
  const chip = byId("state");
  chip.textContent = state;
  chip.dataset.state = state;
  byId("stages").hidden = state !== "running" || job?.kind === "kernel";
  byId("which").hidden = state !== "running" || job?.kind !== "series";
  say(job?.message ?? WORDS[state] ?? "");
  byId("message").classList.toggle("bad", state === "failed");
  const ended = ENDED.includes(state);
  byId("cancel").hidden = ended;
  byId("cancel").disabled = state === "cancelling";
  byId("retry").hidden = byId("delete").hidden = !ended;
}

function say(sentence) {
  byId("message").textContent = sentence;
  byId("message").hidden = !sentence;
}

function showProgress({ stage, fraction, evaluations, points = [], ...which }) {
  if (which.time_number) showTime(which);
  if (stage === "run") byId("kernel-progress").value = fraction;
  const now = STAGES.indexOf(stage);
  for (const item of byId("stages").children) {
    const at = STAGES.indexOf(item.dataset.stage);
    const bar = item.querySelector("progress");
    if (at === now) item.setAttribute("aria-current", "step");
    else item.removeAttribute("aria-current");
    item.classList.toggle("done", at < now);
    if (at !== now) bar.value = at < now ? 1 : 0;
    else if (fraction === null) bar.removeAttribute("value");
    else bar.value = fraction;
  }
  if (evaluations) byId("evaluations").textContent = evaluations;
  if (points.length && !shown) showPoints(points);
}

/** Of several times the chart shows the one that is being compiled. */
function showTime({ time, time_number: number, time_count: count, times: done = [] }) {
  series.add(done);
  byId("which").textContent = `Time ${number} of ${count}: t = ${time}`;
  if (number === timeNumber) return;
  timeNumber = number;
  if (shown) return;
  chart.replace([]);
  chart.level("trotter", "", 0);
  byId("chart-words").textContent = "";
  byId("infidelity").textContent = "–";
}

function showPoints(points) {
  const spent = timeNumber ? series.spentBefore(timeNumber) : 0;
  const now = points.filter(([evaluations]) => evaluations > spent);
  if (!now.length) return;
  for (const [evaluations, infidelity] of now) chart.add(evaluations - spent, infidelity);
  // The optimization starts from a plain Trotter circuit, so its first value is Trotter's.
  const [first, start] = chart.points[0];
  if (first === 1) chart.level("trotter", "where it starts", start);
  byId("infidelity").textContent = number(chart.best);
  byId("chart-words").textContent = chartWords();
}

function chartWords() {
  const [first] = chart.points;
  const [last] = chart.points.at(-1);
  return `From ${number(first[1])} to ${number(chart.best)} in ${last} evaluations.`;
}

async function showEnd() {
  shown = true;
  if (job.kind === "kernel") return showKernelEnd(id, job);
  let result = null;
  try {
    result = await api.getResult(id);
  } catch (error) {
    // Nothing may have been found before it was cancelled or failed.
    if (job.state === "succeeded" || ![404, 409].includes(error.status)) notice(error.message);
    return;
  }
  byId("evaluations").textContent = job.result?.evaluations ?? (result.optimizer ?? result).evaluations;
  showCircuit(result);
}

function showCircuit(result, time) {
  const { history } = result.optimizer ?? result;
  if (history.length) chart.replace(history);
  if (result.trotter) chart.level("trotter", "best Trotter, no shallower", result.trotter.infidelity);
  showResult(id, job, result, time);
  byId("infidelity").textContent = number(result.infidelity);
  if (chart.points.length) byId("chart-words").textContent = chartWords();
}

/** Show one of several times that are done; the curve stays that of the running one. */
async function choose(row) {
  try {
    const result = await api.getResult(id, row.number);
    if (shown) showCircuit(result, row);
    else showResult(id, job, result, row);
    byId("result").scrollIntoView({ behavior: "smooth" });
  } catch (error) {
    notice(error.message);
  }
}

function tick() {
  if (!job?.started_at) return;
  const end = job.finished_at ? new Date(job.finished_at) : new Date();
  const seconds = Math.max(0, (end - new Date(job.started_at)) / 1000);
  byId("elapsed").textContent = duration(seconds);
}

act("cancel", async () => {
  await api.cancel(id);
  await refresh();
});
act("retry", async () => {
  const again = await api.retry(id);
  location.assign(`/ui/jobs/${encodeURIComponent(again.id)}`);
});
act("delete", async () => {
  if (!confirm("Delete this job and its files?")) return;
  // Nothing may be asked about what is gone.
  leaving = true;
  try {
    await asked;
    await api.remove(id);
  } catch (error) {
    leaving = false;
    throw error;
  }
  location.assign("/");
});

let lost = 0;
const stop = api.watch(id, onEvent, (connected) => {
  clearTimeout(lost);
  // A cut that is mended within a few seconds is nobody's business.
  if (connected) notice("");
  else lost = setTimeout(() => notice("The connection is lost; trying again."), 3000);
});
await refresh();
setInterval(tick, 250);
