"""The page's files: nothing from elsewhere, nothing inline, a label for every input."""

import asyncio
import re
from html.parser import HTMLParser
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

import aqc_service.page
from aqc.estimate import estimate
from aqc.problem import Problem
from aqc.times import read_problems
from aqc_service.page import fields, router
from aqc_service.page.presets import PRESETS

ROOT = Path(aqc_service.page.__file__).parent
STATIC = sorted((ROOT / "static").iterdir())
FILES = [*STATIC, *(ROOT / "templates").iterdir()]
VIEWS = (
    "/",
    "/ui/jobs/0198",
    "/ui/batches",
    "/ui/batches/0198",
    "/ui/kernels",
    "/ui/kernels/do-merging",
    "/ui/signin",
    "/docs",
)


class Client:
    """Asks the page alone, without the API."""

    def __init__(self) -> None:
        self.app = FastAPI(docs_url=None)
        self.app.include_router(router)

    def get(self, path: str, headers: dict[str, str] | None = None) -> httpx.Response:
        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(self.app)
            async with httpx.AsyncClient(transport=transport, base_url="http://page") as client:
                return await client.get(path, headers=headers)

        return asyncio.run(ask())


@pytest.fixture(scope="module")
def client() -> Client:
    return Client()


class Elements(HTMLParser):
    """Every element of a page as (tag, attributes)."""

    def __init__(self, html: str):
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


@pytest.mark.parametrize("path", [*VIEWS, *(f"/ui/static/{file.name}" for file in STATIC)])
def test_every_answer_has_a_strict_policy(client: Client, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 200
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    policy = dict(
        part.strip().split(" ", 1) for part in answer.headers["Content-Security-Policy"].split(";")
    )
    assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    for kind in ("script-src", "style-src", "connect-src", "form-action"):
        assert policy[kind] == "'self'"
    assert policy["img-src"] == "'self' data:"


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_no_file_refers_to_another_origin(file: Path) -> None:
    text = file.read_text().replace("http://www.w3.org/2000/svg", "")
    assert not re.search(r"""["'`(=]\s*(\w+:)?//""", text)
    assert "import(" not in text


@pytest.mark.parametrize("path", VIEWS)
def test_nothing_is_inline(client: Client, path: str) -> None:
    for tag, attributes in Elements(client.get(path).text).found:
        assert tag != "style"
        assert tag != "script" or attributes.get("src", "").startswith("/ui/static/")
        assert not any(name == "style" or name.startswith("on") for name in attributes), attributes


@pytest.mark.parametrize("path", VIEWS)
def test_ids_are_unique_and_inputs_have_labels_and_hints(client: Client, path: str) -> None:
    elements = Elements(client.get(path).text).found
    ids = [attributes["id"] for _, attributes in elements if "id" in attributes]
    assert len(set(ids)) == len(ids)
    labelled = {attributes["for"] for tag, attributes in elements if tag == "label"}
    inputs = [a for tag, a in elements if tag in ("input", "select", "textarea")]
    assert {attributes["id"] for attributes in inputs} == labelled
    described = {a["aria-describedby"] for a in inputs if "aria-describedby" in a}
    assert described <= set(ids)


@pytest.mark.parametrize("file", [f for f in STATIC if f.suffix == ".js"], ids=lambda f: f.name)
def test_modules_import_names_that_exist(file: Path) -> None:
    for names, module in re.findall(r'import \{(.*?)\} from "\./(.*?)"', file.read_text()):
        source = (ROOT / "static" / module).read_text()
        for name in names.split(","):
            assert re.search(rf"export (async )?(function|const|class) {name.strip()}\b", source)


def test_a_job_id_is_only_text(client: Client) -> None:
    html = client.get('/ui/jobs/"><script>alert(1)').text
    assert "<script>alert" not in html
    assert "alert(1)" in html


def test_a_file_is_sent_once(client: Client) -> None:
    first = client.get("/ui/static/page.css")
    again = client.get("/ui/static/page.css", headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert client.get("/ui/static/../routes.py").status_code == 404
    assert client.get("/ui/static/..%2Froutes.py").status_code == 404


@pytest.mark.parametrize("preset", PRESETS, ids=lambda preset: preset.key)
def test_presets_are_problems_that_fit(preset: aqc_service.page.presets.Preset) -> None:
    *_, problem = read_problems(preset.problem)
    assert estimate(problem).memory_bytes < 2e9
    assert problem.num_qubits >= 10


def test_what_is_set_by_default_is_what_the_hints_say() -> None:
    problem = Problem.build({"model": "xxz_chain", "num_qubits": 4}, 1.0).to_dict()
    for field in (*fields.main_fields(), *fields.more_fields()):
        value = problem
        for name in field.pointer.split("/")[1:]:
            value = value[name]
        assert field.hint.endswith(".")
        if field.pointer != "/time":
            assert field.default == str(value)
        if field.choices:
            assert value in field.choices
