// Every word with the server goes through here.

/** What the API refused: sentences, each with the JSON pointer of the field at fault. */
export class Refusal extends Error {
  constructor(status, problem) {
    const errors = problem.errors ?? [];
    super(problem.detail ?? `The server answered ${status}.`);
    this.status = status;
    this.errors = errors.length ? errors : [{ detail: this.message }];
  }
}

/** Send a request; return [body, response], or throw a Refusal. */
async function exchange(method, path, { body, headers = {}, signal } = {}) {
  const options = { method, signal, headers: { Accept: "application/json", ...headers } };
  if (body !== undefined) {
    options.body = JSON.stringify(body);
    options.headers["Content-Type"] = "application/json";
  }
  let response;
  try {
    response = await fetch(path, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refusal(0, { detail: "The server does not answer. Is aqc serve running?" });
  }
  if (response.status === 401) {
    location.replace(`/ui/signin?next=${encodeURIComponent(location.pathname + location.search)}`);
  }
  if (response.status === 204) return [null, response];
  const content = await response.json().catch(() => ({}));
  if (!response.ok) throw new Refusal(response.status, content);
  return [content, response];
}

const jobPath = (id) => `/v1/jobs/${encodeURIComponent(id)}`;

// Two clicks on Compile, or a retry by the browser, still make one job.
function newKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

export const getJob = async (id) => (await exchange("GET", jobPath(id)))[0];
export const getResult = async (id, timeNumber = null) =>
  (await exchange("GET", `${jobPath(id)}/result?format=json${timeNumber ? `&time_number=${timeNumber}` : ""}`))[0];
export const cancel = async (id) => (await exchange("POST", `${jobPath(id)}/cancel`))[0];
export const retry = async (id) => (await exchange("POST", `${jobPath(id)}/retry`))[0];
export const remove = async (id) => (await exchange("DELETE", jobPath(id)))[0];
export const getOpenAPI = async () => (await exchange("GET", "/openapi.json"))[0];

export const getKernel = async (slug) =>
  (await exchange("GET", `/v1/kernels/${encodeURIComponent(slug)}`))[0];
export const listArtifacts = async (id) =>
  (await exchange("GET", `${jobPath(id)}/artifacts`))[0].artifacts;

/** Run a kernel: {answer}, or {job} when it takes long. */
export async function runKernel(slug, operation, body, figure, signal) {
  const path = `/v1/kernels/${encodeURIComponent(slug)}/${encodeURIComponent(operation)}`;
  const headers = { "Idempotency-Key": newKey() };
  const options = { body, headers, signal };
  const [content, response] = await exchange("POST", figure ? `${path}?figure=svg` : path, options);
  return response.status === 202 ? { job: content } : { answer: content };
}

export async function submit(problem) {
  return (
    await exchange("POST", "/v1/jobs", { body: problem, headers: { "Idempotency-Key": newKey() } })
  )[0];
}

export async function estimate(problem, signal) {
  return (await exchange("POST", "/v1/estimates", { body: problem, signal }))[0];
}

/** Jobs, newest first: {jobs, next}; `next` is the cursor of the page after or null. */
export async function listJobs({ state = "", cursor = "", limit = 20 }) {
  const query = new URLSearchParams({ limit });
  if (state) query.set("state", state);
  if (cursor) query.set("cursor", cursor);
  const [body] = await exchange("GET", `/v1/jobs?${query}`);
  return { jobs: body.jobs, next: body.next_cursor };
}

const batchPath = (id) => `/v1/batches/${encodeURIComponent(id)}`;

export const listBatches = async () => (await exchange("GET", "/v1/batches?limit=50"))[0].batches;
export const getBatch = async (id) => (await exchange("GET", batchPath(id)))[0];
export const getTable = async (id) => (await exchange("GET", `${batchPath(id)}/table.json`))[0];
export const cancelBatch = async (id) => (await exchange("POST", `${batchPath(id)}/cancel`))[0];
export const removeBatch = async (id) => (await exchange("DELETE", batchPath(id)))[0];

/** Why jobs would not run now, or "" when they would. */
export const unreadiness = () => exchange("GET", "/v1/readyz").then(() => "", (error) => error.message);

/**
 * Follow a job's events: each exactly once and in order, also after the connection was lost.
 * `onEvent({seq, at, kind, data})`; `onLink(connected)`. Returns a function that stops.
 */
export function watch(id, onEvent, onLink) {
  let source = null;
  let last = 0;
  let stopped = false;
  let timer = 0;

  const receive = (message) => {
    const event = JSON.parse(message.data);
    if (event.seq <= last) return;
    last = event.seq;
    onEvent(event);
  };
  const open = () => {
    clearTimeout(timer);
    if (stopped || document.hidden || (source && source.readyState !== EventSource.CLOSED)) return;
    source = new EventSource(`${jobPath(id)}/events?after=${last}`);
    for (const kind of ["state", "progress", "message"]) source.addEventListener(kind, receive);
    source.addEventListener("end", stop);
    source.onopen = () => onLink(true);
    source.onerror = () => {
      onLink(false);
      // The browser reconnects by itself unless the server answered with an error.
      if (source.readyState === EventSource.CLOSED) timer = setTimeout(open, 2000);
    };
  };
  // Browsers allow six connections to a server: a page that nobody sees gives its one back.
  const onVisibility = () => (document.hidden ? source?.close() : open());
  const stop = () => {
    stopped = true;
    clearTimeout(timer);
    source?.close();
    document.removeEventListener("visibilitychange", onVisibility);
  };
  document.addEventListener("visibilitychange", onVisibility);
  open();
  return stop;
}
