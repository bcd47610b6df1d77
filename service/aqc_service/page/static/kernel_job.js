// What the page of a job shows of a kernel's: how far it is, then its figure and its answer.

import { showAnswer } from "./answer.js";
import { getResult, listArtifacts } from "./api.js";
import { byId, element } from "./format.js";

const MOST_SHOWN = 5e6; // bytes of an answer that a page can hold

/** Show a job and return the facts about it. */
export function showKernelJob(job) {
  byId("kernel-job").hidden = false;
  byId("compile-job").hidden = true;
  byId("stages").hidden = true;
  byId("edit").hidden = false;
  byId("edit").href = `/ui/kernels/${encodeURIComponent(job.problem.kernel)}#${job.problem.operation}`;
  byId("edit").textContent = "The kernel";
  const bar = byId("kernel-progress");
  bar.hidden = job.state !== "running";
  if (job.progress?.fraction != null) bar.value = job.progress.fraction;
}

export async function showKernelEnd(id, job) {
  const files = await listArtifacts(id);
  byId("kernel-files").replaceChildren(
    ...files.map(({ name, href }) => element("a", { class: "button", href, download: name }, name)),
  );
  const drawing = files.find(({ name }) => name === "figure.svg");
  if (drawing) {
    const alt = `Figure of the answer of ${job.problem.operation}`;
    byId("kernel-figure").replaceChildren(element("img", { src: drawing.href, alt }));
  }
  const answer = files.find(({ name }) => name === "result.json");
  if (answer && answer.size < MOST_SHOWN) {
    showAnswer(byId("kernel-answer"), await getResult(id), `${job.name.replace("/", "-")}.json`);
  }
}
