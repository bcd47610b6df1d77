"""Time the parts of the engine against this machine's own rates, and print a table.

`make bench-engine` calls this. Nothing here needs another package than aqc's own.
"""

import argparse
import itertools
import json
import os
import platform
import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

os.environ.setdefault("JAX_NUM_CPU_DEVICES", "2")

import jax
import jax.numpy as jnp
import numpy as np
import quimb.tensor as qtn

from aqc import overlap
from aqc.ansatz import Ansatz
from aqc.cost import crossing_layers, padded_bond
from aqc.evolved import angle_between
from aqc.fit import fit
from aqc.hamiltonian import Hamiltonian
from aqc.interop import quimb
from aqc.methods import METHODS
from aqc.models import MODELS
from aqc.mps import MPS, normalized
from aqc.objective import evaluate
from aqc.points import nearest_point
from aqc.tebd import evolve
from aqc.threads import one_blas_thread


def best(run: Callable[[], Any], times: int) -> float:
    """Return the median of the faster half of several runs, in seconds."""
    seconds = []
    for _ in range(times):
        began = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - began)
    return statistics.median(sorted(seconds)[: (times + 1) // 2])


def gemm_rates(size: int = 1024) -> dict[str, float]:
    """Return the rates of complex64 matrix products in GFLOP/s."""
    rng = np.random.default_rng(0)
    a = (rng.normal(size=(size, size)) + 1j * rng.normal(size=(size, size))).astype(np.complex64)
    on_device, product = jnp.asarray(a), jax.jit(jnp.matmul)
    product(on_device, on_device).block_until_ready()
    flop = 8 * size**3 / 1e9
    return {
        "XLA": flop / best(lambda: product(on_device, on_device).block_until_ready(), 20),
        "NumPy": flop / best(lambda: a @ a, 20),
    }


def case(num_qubits: int, layers: int, chi: int) -> tuple[Ansatz, MPS]:
    """Return S1's ansatz at its start, and its target with a given largest bond dimension."""
    chain, state = xxz(num_qubits), neel(num_qubits)
    with one_blas_thread():
        target = evolve(chain, state, 1.0, steps=4, angle=1e-4, max_bond=chi).mps
    return Ansatz.from_trotter(chain, 1.0, state, layers=layers, order=2), target


def xxz(num_qubits: int) -> Hamiltonian:
    """Return sum XX + YY + 0.5 ZZ."""
    return MODELS["xxz_chain"].build(num_qubits, j=1.0, delta=0.5)


def neel(num_qubits: int) -> np.ndarray:
    """Return |0101...>."""
    return np.eye(2)[np.arange(num_qubits) % 2]


def compile_evaluation(ansatz: Ansatz, target: MPS, dtype: type) -> tuple[float, Callable[[], Any]]:
    """Return the seconds that tracing and XLA take, and a call of value and gradient."""
    data = overlap.prepare(ansatz, target, "exact", np.dtype(dtype))
    point = nearest_point(ansatz.blocks, ansatz.block).astype(dtype)
    still = np.zeros((len(point), 15))
    options = {"objective": "log_density", "block": "su4", "num_qubits": ansatz.num_qubits}
    began = time.perf_counter()
    run = evaluate.lower(point, still, data, **options).compile()
    seconds = time.perf_counter() - began
    return seconds, lambda: jax.block_until_ready(run(point, still, data))


def flop(num_qubits: int, layers: int, chi: int) -> float:
    """Return the GFLOP of the matrix products of one value and gradient of the exact scan."""
    depth, bond = crossing_layers(layers), padded_bond(chi)
    cells = 2 * ((num_qubits + 3) // 4)
    boundary = 4**depth * bond
    # One 4x4 step and depth - 1 steps of 8x8, then the target; once forth and twice back.
    return 3 * 8 * cells * boundary * (4 + 8 * (depth - 1) + 2 * bond) / 1e9


def evaluations() -> list[dict[str, Any]]:
    """Time value and gradient, with its rate beside the machine's."""
    rows = []
    for num_qubits, layers, chi in ((50, 9, 50), (100, 9, 50), (50, 11, 50)):
        ansatz, target = case(num_qubits, layers, chi)
        for dtype in (np.complex64, np.complex128):
            compiling, run = compile_evaluation(ansatz, target, dtype)
            run()
            seconds = best(run, 20)
            rows.append(
                {
                    "num_qubits": num_qubits,
                    "layers": layers,
                    "chi": target.max_bond,
                    "dtype": dtype.__name__,
                    "seconds": seconds,
                    "gflop_per_second": flop(num_qubits, layers, chi) / seconds,
                    "compile_seconds": compiling,
                }
            )
    return rows


def compile_times() -> dict[int, float]:
    """Return the seconds of tracing and compiling S1's evaluation for several lengths."""
    compile_evaluation(*case(8, 3, 8), np.complex64)  # what the first compilation sets up
    lengths = (20, 50, 200)
    cases = {n: case(n, 9, 40) for n in lengths}
    return {n: compile_evaluation(*cases[n], np.complex64)[0] for n in lengths}


def evolvers(num_qubits: int = 50) -> list[dict[str, Any]]:
    """Time the native evolver and quimb's own TEBD at the same error.

    The error is measured against a run with ten times the steps. quimb's TEBD gets the order, step
    and cutoff that reach the native evolver's error soonest.
    """
    chain, state = xxz(num_qubits), neel(num_qubits)
    rows = []
    with one_blas_thread():
        truth = evolve(chain, state, 1.0, steps=40, angle=1e-4, max_bond=256).mps

        def row(name: str, run: Callable[[], MPS]) -> dict[str, Any]:
            began = time.perf_counter()
            found = run()
            seconds = time.perf_counter() - began
            error = float(np.sin(angle_between(found, truth)) ** 2)
            return {"evolver": name, "seconds": seconds, "infidelity": error, "chi": found.max_bond}

        for angle in (0.02, 0.007):
            native = row(
                "native",
                lambda angle=angle: (
                    evolve(chain, state, 1.0, steps=4, angle=angle, max_bond=256).mps
                ),
            )
            reached = [
                trial
                for order, dt, cutoff in itertools.product(
                    (2, 4), (0.05, 0.025, 0.0125, 0.00625), (1e-9, 1e-10, 1e-11)
                )
                if (
                    trial := row(
                        f"quimb TEBD, order {order}, dt {dt}, cutoff {cutoff:.0e}",
                        lambda order=order, dt=dt, cutoff=cutoff: quimb_tebd(
                            chain, state, order, dt, cutoff
                        ),
                    )
                )["infidelity"]
                <= native["infidelity"]
            ]
            rows += [native, min(reached, key=lambda trial: trial["seconds"])]
    return rows


def quimb_tebd(chain: Hamiltonian, state: np.ndarray, order: int, dt: float, cutoff: float) -> MPS:
    """Return the evolved state by quimb's own TEBD class."""
    bonds = {(j, j + 1): matrix for j, matrix in enumerate(chain.bond_matrices())}
    tebd = qtn.TEBD(
        qtn.MPS_product_state(list(state.astype(complex))),
        qtn.LocalHam1D(chain.num_qubits, bonds),
        dt=dt,
        progbar=False,
        split_opts={"cutoff": cutoff, "max_bond": 256},
    )
    tebd.update_to(1.0, order=order)
    return normalized(quimb.from_quimb(tebd.pt))


def preconditioner(seeds: int = 3) -> list[dict[str, Any]]:
    """Count evaluations on random XYZ chains with fields, with and without the metric."""
    rows = []
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        n = 40
        pairs = [
            (p, (j, j + 1), rng.uniform(-1, 1)) for j in range(n - 1) for p in ("XX", "YY", "ZZ")
        ]
        fields = [(p, (j,), rng.uniform(-1, 1)) for j in range(n) for p in "XYZ"]
        chain, state = Hamiltonian.from_terms(n, pairs + fields), neel(n)
        with one_blas_thread():
            target = evolve(chain, state, 0.5, steps=4, angle=1e-3, max_bond=64).mps
        start = Ansatz.from_trotter(chain, 0.5, state, layers=7, order=2)
        run = partial(fit, start, target, max_evaluations=400)
        plain = run(optimizer=METHODS["riemannian_lbfgs"](None), max_evaluations=200)
        fast = run(goal=plain.optimum.infidelity)
        rows.append(
            {
                "seed": seed,
                "infidelity": plain.optimum.infidelity,
                "plain": plain.optimum.evaluations,
                "with the metric": fast.optimum.evaluations,
            }
        )
    return rows


def main() -> None:
    """Run everything, print it and write a JSON file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=Path("bench-engine.json"))
    options = parser.parse_args()
    with jax.enable_x64(True):
        report: dict[str, Any] = {
            "machine": f"{platform.machine()}, {os.cpu_count()} cores",
            "devices": [str(device) for device in jax.devices()],
            "complex64 matrix product, GFLOP/s": gemm_rates(),
            "value and gradient": evaluations(),
            "compile seconds by length": compile_times(),
            "evolvers": evolvers(),
            "preconditioner": preconditioner(),
        }
    options.output.write_text(json.dumps(report, indent=2) + "\n")
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
