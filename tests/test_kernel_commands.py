"""`aqc kernel`: the shelf on the command line."""

import json
import subprocess
import sys

import numpy as np
import pytest

from aqc import kernel_commands, kernels
from command_line import call, refused

FACTORS = {
    "lora_a": [[[1.0, 0.0], [0.0, 1.0]]] * 2,
    "lora_b": [[[3.0, 0.0], [0.0, 1.0]], [[15.0, 0.0], [0.0, 5.0]]],
}


@pytest.fixture
def body(tmp_path):
    path = tmp_path / "in.json"
    path.write_text(json.dumps({**FACTORS, "steps": 0}))
    return path


def test_list_names_every_kernel_under_its_topic():
    lines = call("kernel", "list").stdout.splitlines()
    names = [line.split()[0] for line in lines if line.startswith("  ")]
    assert sorted(names) == sorted(kernels.slugs())
    assert json.loads(call("kernel", "list", "--json").stdout) == kernels.catalogue()


def test_list_and_show_load_no_numerical_library():
    code = (
        "import sys; from aqc.cli import app\n"
        "for a in (['kernel', 'list'], ['kernel', 'show', 'do-merging']):\n"
        "    app(a, standalone_mode=False)\n"
        "print(*sorted({'jax', 'numpy', 'scipy', 'matplotlib', 'rich'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == ""


def test_show_says_what_it_takes_and_what_became_of_the_claims():
    shown = call("kernel", "show", "do-merging").stdout
    assert "https://arxiv.org/abs/2505.15875" in shown
    assert "steps          integer >= 0, <= 2000 [100]" in shown
    assert "in part: Both halves together" in shown
    entry = json.loads(call("kernel", "show", "do-merging", "--json").stdout)
    assert entry == kernels.catalogue()["do-merging"]


def test_run_without_input_runs_the_example():
    answer = json.loads(call("kernel", "run", "do-merging").stdout)
    kernel = kernels.load("do-merging")
    operation = kernel.operation()
    expected = kernel.answer(operation, operation.run(operation.example), answer["seconds"])
    assert answer == expected


def test_run_reads_writes_and_draws(body, tmp_path):
    out, figure = tmp_path / "out.json", tmp_path / "figure.svg"
    done = call("kernel", "run", "do-merging/merge-adapters", "--input", body, "--output", out,
                "--figure", figure)  # fmt: skip
    assert (done.exit_code, done.stdout) == (0, "")
    result = json.loads(out.read_text())["result"]
    merged = np.array(result["lora_b"]) @ np.array(result["lora_a"])
    np.testing.assert_allclose(merged, [[9.0, 0.0], [0.0, 3.0]], atol=1e-12)
    assert figure.read_text().startswith("<?xml")


def test_run_reads_standard_input_and_writes_npy():
    text = json.dumps({**FACTORS, "steps": 0})
    done = call("kernel", "run", "do-merging", "-i", "-", "--arrays", "npy", input=text)
    assert set(json.loads(done.stdout)["result"]["lora_a"]) == {"npy"}


def test_refusals(body, tmp_path):
    assert refused(call("kernel", "run", "do-mergin"), "did you mean `do-merging`?")
    assert refused(call("kernel", "show", "nothing"), "There is no kernel 'nothing'")
    assert refused(call("kernel", "run", "do-merging/x"), "merge-adapters, compare-merges, but not")
    assert refused(call("kernel", "run", "do-merging", "-i", tmp_path / "none"), "cannot be read")
    assert refused(
        call("kernel", "run", "do-merging", "--figure", "x.gif"), "--figure must end in .svg, .png"
    )
    body.write_text("{")
    assert refused(call("kernel", "run", "do-merging", "-i", body), "in.json: The input is not")
    body.write_text('{"lora_a": [[[1, NaN]]]}')
    assert refused(call("kernel", "run", "do-merging", "-i", body), "Numbers must be finite")
    body.write_text(json.dumps({**FACTORS, "steps": -1, "gamma": "big"}))
    assert refused(
        call("kernel", "run", "do-merging", "-i", body),
        "in.json: /steps: `steps` must be at least 0, but is -1.",
        'in.json: /gamma: `gamma` must be a number, but is "big".',
    )


def test_interrupted_it_writes_nothing(body, tmp_path, monkeypatch):
    def interrupt(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(kernel_commands, "_run", interrupt)
    out = tmp_path / "out.json"
    done = call("kernel", "run", "do-merging", "-i", body, "-o", out)
    assert (done.exit_code, done.stdout, done.stderr) == (130, "", "aqc: interrupted.\n")
    assert not out.exists()
