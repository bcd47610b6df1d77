"""The page in a real browser against a real service: submit, watch, cancel, download."""

import json
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Page, Route, expect, sync_playwright

from aqc_service.demo import service

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
if CHROMIUM is None and not os.environ.get("CI"):
    pytest.skip("No chromium is found: apt-get install -y chromium", allow_module_level=True)

PATIENCE = 40_000.0  # milliseconds, on a busy machine
SMALL = {
    "hamiltonian": {"model": "xxz_chain", "num_qubits": 8, "delta": 0.5},
    "time": 0.8,
    "initial_state": "neel",
    "ansatz": {"layers": 5},
    "goal": {"infidelity": 1e-5},
}
# Goes on for longer than any test: no circuit of this depth comes so close.
ENDLESS = {
    **SMALL,
    "hamiltonian": {"model": "xxz_chain", "num_qubits": 60, "delta": 0.5},
    "time": 1.0,
    "ansatz": {"layers": 9},
    "goal": {"infidelity": 1e-13},
    "target": {"tolerance": 1e-4},
    "optimizer": {"max_steps": 10**6},
}
# The two answers of the API that the page asks for knowing that they may be errors.
EXPECTED_NOISE = re.compile(r"Failed to load resource.*(409|422|503)")


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with pytest.MonkeyPatch.context() as patch:
        # So that a job that is cancelled after seconds has something to show on any machine.
        patch.setenv("AQC_CHECKPOINT_SECONDS", "0.5")
        with service(tmp_path_factory.mktemp("service")) as address:
            yield address


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    assert CHROMIUM, "CI must have a chromium; .ci/run installs it."
    options = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=options)
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser, url: str) -> Iterator[Page]:
    """A page that reaches the service and nothing else, and must not complain."""
    context = browser.new_context(base_url=url, accept_downloads=True)
    complaints: list[str] = []

    def only_here(route: Route) -> None:
        if route.request.url.startswith(url):
            route.continue_()
        else:
            complaints.append(route.request.url)
            route.abort()

    context.route("**/*", only_here)
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    expect.set_options(timeout=PATIENCE)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on(
        "console",
        lambda message: (
            complaints.append(message.text)
            if message.type in ("error", "warning") and not EXPECTED_NOISE.search(message.text)
            else None
        ),
    )
    yield page
    context.close()
    assert complaints == []


def paste(page: Page, problem: dict[str, Any]) -> None:
    page.goto("/")
    page.get_by_text("paste your own here").click()
    page.locator("#json").fill(json.dumps(problem))


def compile_(page: Page, problem: dict[str, Any]) -> str:
    """Submit a problem and return the job's id."""
    paste(page, problem)
    page.get_by_role("button", name="Compile").click()
    page.wait_for_url("**/ui/jobs/*")
    return page.url.rsplit("/", 1)[1]


def state(page: Page, expected: str) -> None:
    expect(page.locator("#state")).to_have_text(expected)


def test_submit_watch_download(page: Page, url: str) -> None:
    job = compile_(page, {**SMALL, "name": "from the browser"})
    expect(page.locator("h1")).to_have_text("from the browser")
    state(page, "succeeded")
    result = httpx.get(f"{url}/v1/jobs/{job}/result?format=json").json()

    expect(page.locator("#chart .dot")).to_have_count(len(result["optimizer"]["history"]))
    expect(page.locator("#chart .label.trotter")).to_contain_text("best Trotter")
    expect(page.locator("#chart .label.goal")).to_have_text("goal 10⁻⁵")
    ours = page.locator("#comparison tr").first
    expect(ours).to_contain_text(str(result["two_qubit_gates"]))
    expect(ours).to_contain_text(str(result["two_qubit_depth"]))
    expect(page.locator("#comparison tr")).to_have_count(2)
    expect(page.locator("#certificate")).to_contain_text("1 − F is at most")
    drawing = page.locator("#drawing img")
    expect(drawing).to_be_visible()
    drawn = "image => image.decode().then(() => image.naturalWidth)"
    assert drawing.evaluate(drawn) > 100

    for name, form, ending in (
        ("OpenQASM 3", "qasm3", ".qasm"),
        ("OpenQASM 2", "qasm2", ".qasm2"),
        ("Qiskit QPY", "qpy", ".qpy"),
        ("All numbers", "json", ".json"),
    ):
        with page.expect_download() as waiting:
            page.get_by_role("link", name=name).click()
        assert waiting.value.suggested_filename.endswith(ending)
        expected = httpx.get(f"{url}/v1/jobs/{job}/result?format={form}").content
        assert Path(waiting.value.path()).read_bytes() == expected

    page.get_by_role("link", name="Edit as a new job").click()
    expect(page.get_by_label("Name of the job")).to_have_value("from the browser")
    problem = json.loads(page.locator("#json").input_value())
    assert problem == {**result["problem"], "name": "from the browser"}


def test_the_curve_is_whole_after_a_cut(page: Page, url: str) -> None:
    job = compile_(page, ENDLESS)
    expect(page.locator("#chart .dot").nth(5)).to_be_attached()
    page.context.set_offline(True)
    page.wait_for_timeout(500)
    page.context.set_offline(False)
    before = page.locator("#chart .dot").count()
    expect(page.locator("#chart .dot").nth(before + 20)).to_be_attached()
    page.get_by_role("button", name="Cancel").click()
    state(page, "cancelled")
    events = httpx.get(f"{url}/v1/jobs/{job}/events").json()["events"]
    told = [point for event in events for point in event["data"].get("points", ())]
    result = httpx.get(f"{url}/v1/jobs/{job}/result?format=json").json()
    # The last steps before it stopped are told by the result alone.
    assert told == result["history"][: len(told)]
    assert len(told) > before
    expect(page.locator("#chart .dot")).to_have_count(len(result["history"]))
    expect(page.locator("#certificate")).to_contain_text("Not certified")
    expect(page.get_by_role("link", name="OpenQASM 3")).to_be_visible()


def test_cancel_in_the_list_and_run_again(page: Page, url: str) -> None:
    job = compile_(page, {**ENDLESS, "name": "to be cancelled"})
    state(page, "running")
    page.get_by_role("link", name="All jobs").click()
    page.get_by_role("button", name="Cancel to be cancelled").click()
    row = page.locator("#jobs li", has_text="to be cancelled")
    expect(row.locator(".state")).to_have_text("cancelled")
    page.locator("#state-filter").select_option("succeeded")
    expect(row).to_have_count(0)
    page.goto(f"/ui/jobs/{job}")
    page.get_by_role("button", name="Run again").click()
    page.wait_for_url(lambda address: not address.endswith(job))
    page.get_by_role("button", name="Cancel").click()
    state(page, "cancelled")
    page.on("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Delete").click()
    page.wait_for_url(f"{url}/")
    assert httpx.get(f"{url}/v1/jobs/{job}").status_code == 200


def test_nothing_is_asked_about_a_job_once_it_is_deleted(page: Page, url: str) -> None:
    """A question about its end that is still on its way would be answered with 404."""
    job = compile_(page, {**ENDLESS, "name": "to be deleted"})
    state(page, "running")
    held: list[Route] = []
    sent: list[str] = []

    def release() -> None:
        while held:
            held.pop().fallback()

    def answer(route: Route) -> None:
        sent.append(route.request.method)
        if route.request.method == "GET" and "POST" in sent and "DELETE" not in sent:
            held.append(route)
        elif route.request.method == "DELETE":
            deleted = route.fetch()
            release()
            page.wait_for_timeout(300)
            route.fulfill(response=deleted)
        else:
            route.fallback()

    page.route(re.compile(f"/v1/jobs/{job}(/cancel)?$"), answer)
    page.get_by_role("button", name="Cancel").click()
    state(page, "cancelled")
    page.on("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Delete").click()
    page.wait_for_timeout(500)
    release()
    page.wait_for_url(f"{url}/")
    assert sent[-2:] == ["GET", "DELETE"]
    assert httpx.get(f"{url}/v1/jobs/{job}").status_code == 404


def test_several_times_have_rows_figures_and_circuits(page: Page, url: str) -> None:
    times = [0.2, 0.4, 0.6]
    single = {name: value for name, value in SMALL.items() if name != "time"}
    paste(page, {**single, "name": "three times"})
    page.get_by_label("Time t").fill("0.6, 0.4")
    expect(page.locator("#f-time-error")).to_contain_text("must grow from one to the next")
    page.get_by_label("Time t").fill("0.2, 0.4, 0.6")
    assert json.loads(page.locator("#json").input_value())["times"] == times
    page.get_by_role("button", name="Compile").click()
    page.wait_for_url("**/ui/jobs/*")
    job = page.url.rsplit("/", 1)[1]
    expect(page.locator("#which")).to_contain_text("of 3: t = 0.")
    expect(page.locator("#times-rows tr").first).to_be_visible()
    state(page, "succeeded")
    expect(page.locator("#facts")).to_contain_text("t = 0.2 … 0.6 (3 times)")
    expect(page.locator("#times-rows tr")).to_have_count(3)
    expect(page.locator("#times-infidelity .sweep-dot.ours")).to_have_count(3)
    expect(page.locator("#times-depth .sweep-dot.ours")).to_have_count(3)
    expect(page.locator("#circuit-title")).to_have_text("Circuit for t = 0.6")

    rows = httpx.get(f"{url}/v1/jobs/{job}").json()["series"]
    assert [row["time"] for row in rows] == times
    for row, shown in zip(rows, page.locator("#times-rows tr").all(), strict=True):
        expect(shown).to_contain_text(f"{row['two_qubit_depth']}")
        href = shown.get_by_role("link", name="QASM 3, t =").get_attribute("href")
        assert httpx.get(f"{url}{href}").text == httpx.get(f"{url}{row['result']}").text
    page.locator("#times-rows").get_by_role("button", name="0.4").click()
    expect(page.locator("#circuit-title")).to_have_text("Circuit for t = 0.4")
    result = httpx.get(f"{url}{rows[1]['result']}&format=json").json()
    expect(page.locator("#chart .dot")).to_have_count(len(result["optimizer"]["history"]))
    with page.expect_download() as waiting:
        page.locator("#downloads").get_by_role("link", name="OpenQASM 3").click()
    expected = httpx.get(f"{url}{rows[1]['result']}").content
    assert Path(waiting.value.path()).read_bytes() == expected
    page.get_by_role("link", name="Edit as a new job").click()
    expect(page.get_by_label("Time t")).to_have_value("0.2, 0.4, 0.6")


def test_a_sweep_is_a_map_a_curve_and_a_table(page: Page, url: str) -> None:
    template = {**SMALL, "goal": {"infidelity": 1e-2}, "ansatz": {"layers": 3}}
    axes = {"/hamiltonian/delta": [0.0, 0.5, 1.0], "/time": [0.2, 0.4]}
    body = {"template": template, "axes": axes, "name": "delta and time"}
    batch = httpx.post(f"{url}/v1/batches", json=body).json()
    page.goto("/ui/batches")
    page.get_by_role("link", name="delta and time").click()
    expect(page.locator("#state")).to_have_text("finished")
    rows = httpx.get(f"{url}/v1/batches/{batch['id']}/table.json").json()["rows"]
    expect(page.locator("#plot .cell")).to_have_count(6)
    expect(page.locator("#plot .value")).to_have_count(6)
    expect(page.locator("#rows tr")).to_have_count(6)
    expect(page.locator("#rows tr").nth(3)).to_contain_text("0.4")
    best = min(row["infidelity"] for row in rows)
    found = page.locator("#plot-words").inner_text()
    assert found.startswith("Infidelity of 6 jobs, from"), found
    assert 0 < best < 1e-2
    page.get_by_label("Down").select_option("")
    page.get_by_label("Across").select_option("0")
    expect(page.locator("#plot .sweep-dot.ours")).to_have_count(3)
    expect(page.locator("#plot .sweep-curve.trotter")).to_be_attached()
    page.locator("#fixed select").select_option("1")
    expect(page.locator("#plot-words")).to_contain_text("of 3 jobs")
    with page.expect_download() as waiting:
        page.get_by_role("link", name="Table as CSV").click()
    text = Path(waiting.value.path()).read_text()
    assert text.splitlines()[0].startswith("delta,time,job,state")
    page.locator("#rows a").first.click()
    page.wait_for_url(f"**/ui/jobs/{rows[0]['job']}")


def test_what_is_wrong_is_said_at_its_field(page: Page, url: str) -> None:
    def jobs() -> int:
        return len(httpx.get(f"{url}/v1/jobs").json()["jobs"])

    before = jobs()
    page.goto("/")
    expect(page.locator("#estimate")).to_contain_text("Needs about")
    layers = page.get_by_label("Brick layers")
    layers.fill("0")
    error = page.locator(f"#{layers.get_attribute('id')}-error")
    expect(error).to_have_text("`ansatz.layers` must be at least 1, but is 0.")
    expect(page.locator("#estimate")).to_be_empty()
    layers.press("Enter")  # the keyboard submits too
    expect(layers).to_be_focused()
    expect(layers).to_have_attribute("aria-invalid", "true")
    layers.fill("9")
    expect(error).to_have_count(0)
    page.get_by_text("paste your own here").click()
    page.locator("#json").fill('{"hamiltonian": ')
    expect(page.locator("#json-error")).to_contain_text("This is not JSON")
    page.get_by_role("button", name="Compile").click()
    expect(page.locator("#json")).to_be_focused()
    assert jobs() == before


def test_the_form_and_the_json_follow_each_other(page: Page) -> None:
    page.goto("/")
    page.get_by_role("button", name="Your own terms").click()
    expect(page.get_by_label("Terms", exact=True)).to_have_value(re.compile(r'\["XX",\[0,1\],1\]'))
    page.locator("#model").select_option("heisenberg_chain")
    page.get_by_role("textbox", name="field", exact=True).fill("0.5, -0.25, 1")
    page.get_by_role("textbox", name="Sites").fill("3")
    problem = json.loads(page.locator("#json").input_value())
    model = {"model": "heisenberg_chain", "num_qubits": 3, "field": [0.5, -0.25, 1]}
    assert problem["hamiltonian"] == model
    paste(page, {**SMALL, "circuit": {"basis": "ecr"}, "initial_state": [0, 1] * 4})
    expect(page.get_by_label("Two-qubit gate")).to_have_value("ecr")
    expect(page.get_by_label("Initial state")).to_have_value("[0,1,0,1,0,1,0,1]")
    expect(page.get_by_role("textbox", name="delta")).to_have_value("0.5")


@pytest.mark.parametrize(
    "path", ["/", "/docs", "/ui/jobs/{job}", "/ui/kernels", "/ui/kernels/do-merging"]
)
def test_nothing_is_wider_than_a_phone(page: Page, url: str, path: str) -> None:
    if "{job}" in path:
        waiting = {"Prefer": "wait=30"}
        job = httpx.post(f"{url}/v1/jobs", json=SMALL, headers=waiting, timeout=60).json()
        path = path.format(job=job["id"])
    page.set_viewport_size({"width": 360, "height": 740})
    page.emulate_media(color_scheme="dark")
    page.goto(path)
    page.wait_for_timeout(1000)
    assert page.evaluate("document.scrollingElement.scrollWidth") <= 360
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(20, 24, 29)"


def test_the_api_page_lists_every_operation(page: Page, url: str) -> None:
    paths = httpx.get(f"{url}/openapi.json").json()["paths"]
    page.goto("/docs")
    expect(page.locator(".operation")).to_have_count(sum(map(len, paths.values())))
    page.locator(".operation summary").first.click()
    expect(page.locator(".operation pre").first).to_contain_text(f"{url}/v1/")


def test_the_shelf_runs_an_example_and_shows_its_figure(page: Page, url: str) -> None:
    page.goto("/")
    page.get_by_role("link", name="Kernels").click()
    total = len(httpx.get(f"{url}/v1/kernels").json()["kernels"])
    expect(page.locator("#count")).to_have_text(f"{total} of {total} kernels")
    page.get_by_label("Find").fill("lora adapters Zheng")
    expect(page.locator("#count")).to_have_text(f"1 of {total} kernels")
    page.get_by_label("Topic").select_option("matrices and orthogonality")
    page.get_by_role("link", name="do-merging").click()
    page.get_by_role("button", name="compare-merges").click()
    page.get_by_label("steps").fill("50")
    page.get_by_role("button", name="Run").click()
    example = httpx.get(f"{url}/v1/kernels/do-merging").json()["operations"][1]["example"]
    answer = httpx.post(
        f"{url}/v1/kernels/do-merging/compare-merges", json={**example, "steps": 50}, timeout=60
    ).json()
    row = page.locator("#answer tr", has_text="do_merging.worst").locator("td")
    worst = answer["result"]["do_merging"]["worst"]
    expect(row).to_have_text(f"{worst:.3g}")
    image = page.locator("#answer img")
    assert image.evaluate("image => image.decode().then(() => image.naturalWidth)") > 100
    with page.expect_download() as waiting:
        page.get_by_role("link", name="Download as JSON").click()
    saved = json.loads(Path(waiting.value.path()).read_text())
    assert saved["result"] == answer["result"]


def test_what_is_wrong_with_a_kernel_s_arguments_is_said_at_them(page: Page, url: str) -> None:
    page.goto("/ui/kernels/do-merging")
    page.get_by_label("steps").fill("-1")
    page.get_by_label("lora_a").fill("[[[1, 2]]")
    page.get_by_role("button", name="Run").click()
    expect(page.locator("#a-lora_a-error")).to_contain_text("This is not JSON")
    page.get_by_label("lora_a").fill("[[[1, 2]]]")
    page.get_by_role("button", name="Run").click()
    expect(page.locator("#a-steps-error")).to_have_text("`steps` must be at least 0, but is -1.")
    page.get_by_role("button", name="Back to the example").click()
    page.get_by_role("button", name="Run").click()
    expect(page.locator("#answer img")).to_be_visible()
    expect(page.locator(".error")).to_have_count(0)


def test_a_long_call_is_a_job_with_its_own_page(page: Page, url: str) -> None:
    row, tall = [[0.5, 1.0, -1.0] * 200] * 8, [[0.1] * 8] * 600
    factors = {"lora_a": [row] * 8, "lora_b": [tall] * 8, "steps": 300}
    headers = {"Prefer": "respond-async"}
    job = httpx.post(f"{url}/v1/kernels/do-merging", json=factors, headers=headers).json()
    page.goto(f"/ui/jobs/{job['id']}")
    expect(page.locator("h1")).to_have_text("do-merging/merge-adapters")
    expect(page.locator("#chart")).to_be_hidden()
    state(page, "succeeded")
    expect(page.locator("#kernel-figure img")).to_be_visible()
    expect(page.locator("#kernel-answer")).to_contain_text("cross_loss_a")
    expect(page.get_by_role("link", name="arrays.npz")).to_be_visible()
