"""Several starts at once: batched, compiled once, and better than one."""

import jax
import numpy as np
import pytest

from aqc import overlap, race
from aqc.compile import compile_evolution
from aqc.errors import InputError
from aqc.given import read_start, to_json
from aqc.mps import MPS
from aqc.objective import evaluate
from aqc.race import best_start, evaluate_all
from aqc.start import random_ansatz
from reference import neel, random_product

COMPLEX = np.dtype(complex)


@pytest.mark.parametrize(
    "engine", ["exact", pytest.param("truncated", marks=pytest.mark.slow), "dense"]
)
def test_a_batch_is_what_its_parts_are_one_by_one(engine):
    target = MPS.product(random_product(6, seed=4))
    starts = [random_ansatz(neel(6), 3, seed) for seed in range(3)]
    settings = {"segments": ((2, 8),)} if engine == "truncated" else {}
    with jax.enable_x64(True):
        data = overlap.prepare(starts[0], target, engine, COMPLEX, **settings)
        points = np.stack([start.blocks[:, None] for start in starts])
        steps = np.random.default_rng(0).normal(size=(3, len(points[0]), 15)) / 10
        batch = evaluate_all(points, steps, data, block="su4", num_qubits=6)
        for k in range(3):
            options = {"objective": "log_density", "block": "su4", "num_qubits": 6}
            alone = evaluate(points[k], steps[k], data, **options)
            assert batch.log_fidelity[k] == pytest.approx(float(alone.log_fidelity), abs=1e-10)
            assert np.allclose(batch.gradient[k], alone.gradient, atol=1e-10)


def test_all_starts_share_one_compilation(monkeypatch):
    compilations = []
    real = race.compiled
    monkeypatch.setattr(
        race,
        "compiled",
        lambda *given, **options: compilations.append(1) or real(*given, **options),
    )
    traced = []
    monkeypatch.setattr(race, "evaluate", lambda *a, **k: traced.append(1) or evaluate(*a, **k))
    evaluate_all.clear_cache()
    starts = [random_ansatz(neel(5), 2, seed) for seed in range(7)]
    _, logs = best_start(starts, MPS.product(neel(5)), evaluations=20)
    assert len(compilations) == 1
    assert len(traced) == 1  # `vmap` traces one start for all seven
    assert len(set(np.round(logs, 9))) > 1


def test_the_best_start_is_returned_where_it_was_last():
    target = MPS.product(random_product(6, seed=4))
    starts = [random_ansatz(neel(6), 3, seed) for seed in range(4)]
    best, logs = best_start(starts, target, overlap_method="exact", evaluations=30)
    with jax.enable_x64(True):
        data = overlap.prepare(best, target, "exact", COMPLEX)
        found = float(jax.jit(overlap.log_fidelity)(best.blocks, data))
        first = [float(jax.jit(overlap.log_fidelity)(s.blocks, data)) for s in starts]
    assert found == pytest.approx(max(logs), abs=1e-9)
    assert found > max(first)


def test_starts_are_read_and_written():
    assert read_start({"random": 3, "starts": 8}).starts == 8
    assert to_json(read_start({"random": 3, "starts": 8})) == {"random": 3, "starts": 8}
    assert to_json(read_start({"random": 3})) == {"random": 3}
    with pytest.raises(InputError, match=r"`ansatz.start.starts` must be at most 64"):
        read_start({"random": 3, "starts": 65})


def test_a_compile_from_several_starts():
    model = {"model": "xxz_chain", "num_qubits": 6, "delta": 0.5}
    settings = {"initial_state": "neel", "goal": {"infidelity": 0.01}}
    start = {"random": 0, "starts": 4}
    result = compile_evolution(model, 0.5, ansatz={"layers": 3, "start": start}, **settings)
    assert result.certificate.infidelity <= 0.01
    again = compile_evolution(model, 0.5, ansatz={"layers": 3, "start": start}, **settings)
    assert np.array_equal(result.chosen.ansatz.blocks, again.chosen.ansatz.blocks)
