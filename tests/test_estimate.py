"""Estimates: what they say, what they refuse, and the memory of real processes."""

import json
import os
import subprocess
import sys

import pytest

from aqc.coloring import layer_pairs
from aqc.errors import InputError
from aqc.estimate import (
    _MOST_LAID_OUT,
    _rows,
    check_memory,
    colors_of,
    estimate,
    multiplication_rate,
)
from aqc.network import lay_out
from aqc.problem import Problem

MEASURE = """
import json, sys, tempfile
from pathlib import Path
from aqc.compile import compile_problem
from aqc.output import write_result
from aqc.problem import Problem
problem = Problem.from_json(sys.argv[1])
result = compile_problem(problem)
with tempfile.TemporaryDirectory() as directory:
    write_result(Path(directory) / "out", result, problem)
# Not ru_maxrss, which a process inherits from the one that started it.
lines = Path("/proc/self/status").read_text().splitlines()
print(next(line for line in lines if line.startswith("VmHWM")).split()[1])
"""

XXZ = {"model": "xxz_chain", "delta": 0.5}
TILTED = {"model": "ising_chain", "g": 1.0, "h": 0.5}
FIELD = {"model": "heisenberg_chain", "field": 1.0}


def built(model: dict, num_qubits: int, time: float, layers, **settings) -> Problem:
    options = {
        "initial_state": "zeros" if model is TILTED else "neel",
        "ansatz": {"layers": layers},
        "goal": {"infidelity": 1e-4},
        "target": {"tolerance": 1e-4, "max_bond": 1024},
        "optimizer": {"max_steps": 4},
        "limits": {"memory_gb": 20},
    }
    return Problem.build({**model, "num_qubits": num_qubits}, time, **options | settings)


def peak_memory(problem: Problem, before: str = "", after: str = "") -> float:
    """Return the peak memory of a process that compiles and writes, nothing cached, in bytes.

    Args:
        problem: What it compiles.
        before: Python code to run first.
        after: Python code to run last.
    """
    clean = {k: v for k, v in os.environ.items() if not k.startswith("JAX_")}
    run = subprocess.run(
        [sys.executable, "-c", before + MEASURE + after, problem.to_json()],
        capture_output=True,
        text=True,
        check=True,
        env=clean,
    )
    return 1024.0 * int(run.stdout.split()[-1])


def assert_between(problem: Problem) -> None:
    predicted, peak = estimate(problem).memory_bytes, peak_memory(problem)
    assert 0.5 * predicted <= peak <= predicted


@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="needs Linux")
def test_memory_is_never_above_the_estimate_and_at_most_twice_below():
    assert_between(built(XXZ, 40, 0.8, 7))


@pytest.mark.slow
@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="needs Linux")
@pytest.mark.parametrize(
    ("model", "num_qubits", "time", "layers"),
    [
        (XXZ, 20, 0.3, 3),
        (XXZ, 20, 1.0, 11),
        (FIELD, 24, 0.6, 7),
        (XXZ, 14, 1.0, 30),  # as state vectors
        (TILTED, 64, 1.5, 7),
        (XXZ, 50, 1.0, 3),
        (XXZ, 50, 1.0, 9),
        (XXZ, 50, 1.0, 13),
        (XXZ, 50, 1.0, 25),  # truncated
        (XXZ, 200, 1.0, 25),
        (XXZ, 100, 1.0, 11),
        (TILTED, 200, 1.0, 5),
        (XXZ, 200, 0.7, 9),
        (XXZ, 50, 0.8, [3, 5, 7, 9]),
        (XXZ, 1000, 0.3, 3),
        (XXZ, 1000, 0.4, 5),
    ],
)
def test_memory_of_many_cases(model, num_qubits, time, layers):
    assert_between(built(model, num_qubits, time, layers))


@pytest.mark.slow
@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="needs Linux")
def test_memory_of_a_thousand_qubits_where_the_certificate_needs_most():
    """The target's tensors are small against those of the circuit, which nothing truncates."""
    assert_between(built(XXZ, 1000, 1.0, 9, optimizer={"max_steps": 2}))


@pytest.mark.slow
@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="needs Linux")
def test_memory_where_the_target_is_large():
    assert_between(built(XXZ, 30, 1.8, 5))


@pytest.mark.slow
@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="needs Linux")
@pytest.mark.parametrize(
    "settings",
    [
        {"goal": {"infidelity": 1e-2}, "target": {"tolerance": 1e-4}},
        {"goal": {"infidelity": 1e-3}, "target": {"tolerance": 1e-3}},
    ],
)
def test_memory_where_the_truncated_overlap_has_to_raise_its_bonds(settings):
    """A process in which the bonds chosen at first are half of those that are needed."""
    problem = built(XXZ, 400, 1.0, 21, overlap="truncated", **settings)
    halved = (
        "import aqc.fit\n"
        "whole = aqc.fit.choose_segments\n"
        "aqc.fit.choose_segments = lambda *a: tuple((p, b // 2) for p, b in whole(*a))\n"
        "wider, grown = aqc.fit.enlarged, []\n"
        "aqc.fit.enlarged = lambda *a: grown.append(wider(*a)) or grown[-1]\n"
    )
    peak = peak_memory(problem, before=halved, after="assert grown, 'nothing was raised'")
    predicted = estimate(problem).memory_bytes
    assert peak <= predicted


def test_memory_grows_with_everything():
    told = [
        estimate(built(XXZ, *case)).memory_bytes
        for case in ((50, 1.0, 9), (100, 1.0, 9), (100, 1.0, 11), (100, 1.3, 11))
    ]
    assert told == sorted(set(told))
    seconds = [
        estimate(built(XXZ, *case)).seconds
        for case in ((50, 1.0, 9), (100, 1.0, 9), (100, 1.0, 11))
    ]
    assert seconds == sorted(set(seconds))


def test_time_counts_evaluations_and_depths():
    one = estimate(built(XXZ, 50, 0.5, 7, optimizer={"max_steps": 100})).seconds
    more = estimate(built(XXZ, 50, 0.5, 7, optimizer={"max_steps": 1000})).seconds
    sweep = estimate(built(XXZ, 50, 0.5, [3, 5, 7], optimizer={"max_steps": 100})).seconds
    assert 2 < one < sweep < more
    assert multiplication_rate() > 1e7


def test_auto_is_told_for_the_deepest_that_fits():
    for gigabytes in (1.0, 8.0):
        told = estimate(
            built(XXZ, 50, 0.8, "auto", overlap="exact", limits={"memory_gb": gigabytes})
        )
        assert told.fits
        limits = {"memory_gb": gigabytes}
        deeper = built(XXZ, 50, 0.8, told.layers + 2, overlap="exact", limits=limits)
        assert not estimate(deeper).fits


def test_what_cannot_fit_is_refused_by_the_same_sentence():
    problem = built(XXZ, 50, 1.0, 31, overlap="exact", limits={"memory_gb": 8})
    told = estimate(problem)
    assert not told.fits
    assert told.to_dict()["fits"] is False
    for refuse in (told.check, lambda: check_memory(problem)):
        with pytest.raises(
            InputError, match="`limits.memory_gb` must cover the predicted"
        ) as error:
            refuse()
        assert error.value.pointer == "/limits/memory_gb"


def test_a_forecast_decides_where_it_matters():
    """Neither sure to fit nor sure not to: the bond dimension tells."""
    limits = {"memory_gb": 1.2}
    check_memory(built(XXZ, 100, 0.3, 9, limits=limits))
    with pytest.raises(InputError, match="and bond dimension"):
        check_memory(built(XXZ, 100, 2.0, 9, limits=limits))
    with pytest.raises(InputError, match="and bond dimension 400,"):
        check_memory(built(XXZ, 100, 0.3, 9, limits=limits), chi=400)


def test_an_estimate_is_json():
    told = estimate(built(XXZ, 100_000, 1.0, 9))
    assert json.loads(json.dumps(told.to_dict()))["num_qubits"] == 100_000
    assert not told.fits


@pytest.mark.parametrize("layers", [1, 3, 8])
def test_a_ring_too_large_to_be_laid_out_has_no_fewer_rows_than_it_is_told(layers):
    ring = Problem.build({"model": "xxz_ring", "num_qubits": 720}, 0.5)
    assert _MOST_LAID_OUT < 720 * 719
    exact = lay_out(720, layer_pairs(colors_of(ring), layers)).rows
    assert exact / 2.5 < _rows(720, colors_of(ring), layers) <= exact
    huge = Problem.build({"model": "xxz_ring", "num_qubits": 99_999}, 0.5)
    assert not estimate(huge).fits
