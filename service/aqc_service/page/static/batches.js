// The list of sweeps.

import * as api from "./api.js";
import { ago, byId, element, notice } from "./format.js";

async function show() {
  let delay = 10000;
  try {
    const batches = await api.listBatches();
    byId("no-batches").hidden = batches.length > 0;
    byId("batches").replaceChildren(...batches.map(row));
    if (batches.some((batch) => !batch.finished)) delay = 2000;
    notice("");
  } catch (error) {
    notice(error.message);
  }
  setTimeout(show, delay);
}

function row(batch) {
  const { succeeded = 0, failed = 0 } = batch.states;
  const axes = Object.entries(batch.axes).map(([pointer, values]) => `${values.length} × ${pointer.slice(1)}`);
  const detail = [`${batch.size} jobs`, ...axes, ...(failed ? [`${failed} failed`] : []), ago(batch.created_at)];
  return element(
    "li",
    {},
    element(
      "div",
      {},
      element("a", { href: batch.links.page }, batch.name || "Sweep"),
      element("span", { class: "quiet" }, detail.join(" · ")),
    ),
    element("span", { class: "state" }, batch.finished ? "finished" : `${succeeded} of ${batch.size}`),
  );
}

await show();
