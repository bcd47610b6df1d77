// The list of jobs, kept current while somebody looks at it.

import * as api from "./api.js";
import { ago, byId, element, notice, number, title } from "./format.js";

const ACTIVE = ["queued", "running", "cancelling"];

export class JobList {
  constructor() {
    this.rows = new Map(); // job id -> {row, refresh}
    this.filter = byId("state-filter");
    this.pages = 1;
    this.timer = 0;
    this.filter.addEventListener("change", () => this.restart(1));
    byId("older").addEventListener("click", () => this.restart(this.pages + 1));
    document.addEventListener("visibilitychange", () => this.restart(this.pages));
    this.restart(1);
  }

  restart(pages) {
    this.pages = pages;
    clearTimeout(this.timer);
    if (!document.hidden) this.refresh();
  }

  async refresh() {
    let delay = 10000;
    try {
      const { jobs, next } = await this.read();
      this.draw(jobs, next);
      if (jobs.some((job) => ACTIVE.includes(job.state))) delay = 1500;
      notice(await api.unreadiness());
    } catch (error) {
      notice(error.message);
    }
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.restart(this.pages), delay);
  }

  async read() {
    const jobs = [];
    let cursor = "";
    for (let page = 0; page < this.pages && cursor !== null; page++) {
      const part = await api.listJobs({ state: this.filter.value, cursor });
      jobs.push(...part.jobs);
      cursor = part.next ?? null;
    }
    return { jobs, next: cursor };
  }

  // Rows stay where they are, so that the keyboard's focus does too.
  draw(jobs, next) {
    const list = byId("jobs");
    const seen = new Set(jobs.map((job) => job.id));
    for (const [id, { row }] of this.rows) {
      if (!seen.has(id)) {
        row.remove();
        this.rows.delete(id);
      }
    }
    jobs.forEach((job, index) => {
      if (!this.rows.has(job.id)) this.rows.set(job.id, makeRow(job.id, () => this.restart(this.pages)));
      const { row, refresh } = this.rows.get(job.id);
      refresh(job);
      if (list.children[index] !== row) list.insertBefore(row, list.children[index] ?? null);
    });
    byId("no-jobs").hidden = jobs.length > 0;
    byId("older").hidden = !next;
  }
}

function makeRow(id, onChange) {
  const link = element("a", { href: `/ui/jobs/${encodeURIComponent(id)}` });
  const state = element("span", { class: "state" });
  const detail = element("span", { class: "quiet" });
  const stop = async () => {
    button.disabled = true;
    try {
      await api.cancel(id);
    } catch (error) {
      notice(error.message);
    }
    onChange();
  };
  const button = element("button", { type: "button", class: "small", onclick: stop }, "Cancel");
  const row = element("li", {}, element("div", {}, link, detail), state, button);
  const refresh = (job) => {
    link.textContent = title(job);
    state.textContent = job.state;
    state.dataset.state = job.state;
    detail.textContent = facts(job).join(" · ");
    button.hidden = !ACTIVE.includes(job.state);
    button.disabled = job.state === "cancelling";
    button.setAttribute("aria-label", `Cancel ${title(job)}`);
  };
  return { row, refresh };
}

function facts(job) {
  const infidelity = (job.result ?? job.best ?? job.progress)?.infidelity;
  const parts = [];
  if (infidelity != null) parts.push(`infidelity ${number(infidelity)}`);
  else if (job.state === "running" && job.progress) parts.push(job.progress.stage);
  parts.push(ago(job.created_at));
  return parts;
}
