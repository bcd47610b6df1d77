"""The page where keys are asked for: it wants one, hides it from scripts, and then works."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from aqc.client import Client, ServiceError
from aqc_service import keys
from aqc_service.database import open_engine
from aqc_service.demo import service

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
if CHROMIUM is None and not os.environ.get("CI"):
    pytest.skip("No chromium is found: apt-get install -y chromium", allow_module_level=True)

PROBLEM = {
    "hamiltonian": {"model": "xxz_chain", "num_qubits": 6},
    "time": 0.3,
    "ansatz": {"layers": 3},
}


@pytest.fixture
def page() -> Iterator[Page]:
    assert CHROMIUM, "CI must have a chromium; .ci/run installs it."
    options = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=options)
        page = browser.new_page()
        page.set_default_timeout(40_000)
        expect.set_options(timeout=40_000)
        yield page
        browser.close()


def test_the_page_asks_for_a_key_once(
    page: Page, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AQC_KEYS", "on")
    with service(tmp_path) as url:
        engine = open_engine(f"sqlite:///{tmp_path}/data/aqc.db")
        key = keys.create(engine, "alice")[1]
        engine.dispose()
        with Client(url) as stranger, pytest.raises(ServiceError, match="key is missing"):
            stranger.submit(PROBLEM)
        with Client(url, key=key) as client:
            job = client.submit(PROBLEM, name="alice's")
            page.goto(f"{url}/ui/jobs/{job.id}")
            page.wait_for_url("**/ui/signin?next=*")
            page.get_by_label("API key").fill(key[:-1])
            page.get_by_role("button", name="Go on").click()
            expect(page.get_by_role("alert")).to_have_text("This key is not valid.")
            page.get_by_label("API key").fill(key)
            page.get_by_role("button", name="Go on").click()
            page.wait_for_url(f"**/ui/jobs/{job.id}")
            # Events, images and downloads carry the key along too.
            expect(page.locator("#state")).to_have_text("succeeded")
            expect(page.locator("#drawing img")).to_be_visible()
            with page.expect_download() as waiting:
                page.get_by_role("link", name="OpenQASM 3").click()
            assert Path(waiting.value.path()).read_bytes() == client.download(job, "qasm3")
            page.get_by_role("button", name="Run again").click()
            page.wait_for_url(lambda address: not address.endswith(job.id))
            expect(page.locator("h1")).to_have_text("alice's")
        assert key not in page.evaluate("document.cookie + JSON.stringify({...localStorage})")
