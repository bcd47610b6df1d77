"""The real kind of job: compile, stopped in every way, with the result of an unbroken run."""

import json

import numpy as np
import pytest
from qiskit.quantum_info import Operator, Statevector
from scipy.linalg import expm

from aqc.checkpoint import save_arrays
from aqc.interop.files import load_circuit
from aqc.problem import Problem
from aqc_service.child import Orders, Stopped
from aqc_service.compile_job import adopt, run
from aqc_service.protocol import Task

KINDS = {"compile": "aqc_service.compile_job:run"}


def problem(n=6, layers=5, goal=1e-12, steps=40, **settings):
    return Problem.build(
        {"model": "xxz_chain", "num_qubits": n, "delta": 0.5},
        1.0,
        initial_state="neel",
        ansatz={"layers": layers},
        goal={"infidelity": goal},
        optimizer={"max_steps": steps},
        limits={"threads": 1},
        **settings,
    )


class Ear:
    """Stands in for the pipe to the worker."""

    def __init__(self, on_message=lambda kind, data: None):
        self.heard = []
        self._on_message = on_message

    def send(self, kind, **data):
        self.heard.append((kind, data))
        self._on_message(kind, data)


def task(directory, asked, earlier=(), seconds=0.0):
    directory.mkdir(exist_ok=True)
    return Task(
        job_id="j",
        attempt=1,
        run=KINDS["compile"],
        problem=asked.to_json(),
        directory=str(directory),
        earlier=tuple(map(str, earlier)),
        memory_bytes=10**9,
        checkpoint_seconds=seconds,
    )


def read(directory):
    return json.loads((directory / "out/result.json").read_text())


@pytest.mark.parametrize("layers", [5, [2, 4]])
def test_a_compile_stopped_twice_ends_with_the_same_blocks(tmp_path, layers):
    asked = problem(layers=layers)
    whole = run(task(tmp_path / "whole", asked), Ear(), Orders())
    earlier = []
    for k, count in enumerate((6, 18)):
        orders = Orders()

        def stop(kind, data, orders=orders, count=count):
            if kind == "best" and data["evaluations"] >= count:
                orders.stop.set()

        directory = tmp_path / f"attempt-{k}"
        with pytest.raises(Stopped):
            run(task(directory, asked, earlier), Ear(stop), orders)
        earlier.insert(0, directory)
    last = run(task(tmp_path / "last", asked, earlier), Ear(), Orders())
    assert last["evaluations"] == whole["evaluations"]
    assert abs(last["infidelity"] - whole["infidelity"]) < 1e-12
    states = [
        Statevector(load_circuit(tmp_path / name / "out/circuit.qpy")).data
        for name in ("whole", "last")
    ]
    np.testing.assert_allclose(states[1], states[0], atol=1e-9)
    history = read(tmp_path / "whole")["optimizer"]["history"]
    assert read(tmp_path / "last")["optimizer"]["history"] == history
    assert last["sweep"] == whole["sweep"]
    depths = [entry["layers"] for entry in last["sweep"]]
    assert depths == np.atleast_1d(layers).tolist()


def test_the_target_is_not_computed_again(tmp_path, monkeypatch):
    asked = problem()
    orders = Orders()
    ear = Ear(lambda kind, data: orders.stop.set() if kind == "best" else None)
    with pytest.raises(Stopped):
        run(task(tmp_path / "attempt-1", asked), ear, orders)
    monkeypatch.setattr("aqc.evolved.evolve_within", None)  # calling it would raise
    run(task(tmp_path / "attempt-2", asked, [tmp_path / "attempt-1"]), Ear(), Orders())


def test_the_best_so_far_has_the_infidelity_that_it_says(tmp_path):
    asked = problem(target={"tolerance": 1e-9})
    heard = Ear()
    run(task(tmp_path / "attempt-1", asked), heard, Orders())
    best = [data for kind, data in heard.heard if kind == "best"][-1]
    directory = tmp_path / "attempt-1" / best["directory"]
    found = written(directory)
    target = exact_state(asked)
    assert 1 - abs(np.vdot(target, found)) ** 2 == pytest.approx(best["infidelity"], abs=1e-7)
    labels = json.loads((directory / "result.json").read_text())
    assert (labels["best_so_far"], labels["certified"]) == (True, False)
    assert labels["infidelity"] == best["infidelity"]


def test_a_job_has_a_circuit_from_its_target_on_and_the_newest_when_it_is_stopped(tmp_path):
    asked = problem()
    orders = Orders()

    def stop(kind, data):
        if kind == "progress" and data["stage"] == "certify":
            orders.cancel.set()

    ear = Ear(stop)
    with pytest.raises(Stopped):
        run(task(tmp_path / "attempt-1", asked, seconds=1e9), ear, orders)  # none is due
    kinds = [kind if kind == "best" else data["stage"] for kind, data in ear.heard]
    assert kinds.index("best") < kinds.index("compile")
    first, last = [data for kind, data in ear.heard if kind == "best"]
    assert (first["evaluations"], first["infidelity"]) == (0, None)
    assert last["evaluations"] > 5
    seed, found = (
        1 - abs(np.vdot(exact_state(asked), written(tmp_path / "attempt-1" / best["directory"])))
        for best in (first, last)
    )
    assert 1e-4 < seed < 0.5
    assert found < seed / 10


def written(directory):
    return Statevector(load_circuit(directory / "circuit.qpy")).data


def exact_state(asked):
    from scipy.linalg import expm

    from aqc.interop.qiskit import hamiltonian_to_qiskit

    # Qubit 0 is the last factor for Qiskit, as in the statevector of the circuit.
    matrix = hamiltonian_to_qiskit(asked.to_hamiltonian()).to_matrix()
    start = np.ones(1)
    for site in asked.product_state():
        start = np.kron(site, start)
    return expm(-1j * asked.time * matrix) @ start


def test_a_damaged_checkpoint_gives_way_to_the_one_before(tmp_path):
    older, newer, mine = (tmp_path / name for name in ("older", "newer", "mine"))
    for directory in (older, newer, mine):
        directory.mkdir()
    save_arrays(older / "state.npz", {"a": np.array(1)})
    save_arrays(newer / "state.1.npz", {"a": np.array(2)})
    (newer / "state.npz").write_bytes(b"PK damaged")
    ear = Ear()
    adopt([newer, older], mine, ear)
    assert (mine / "state.npz").samefile(newer / "state.1.npz")
    assert "was damaged" in ear.heard[0][1]["text"]
    assert not (mine / "target.npz").exists()


def test_a_unitary_is_a_job_like_any_other(tmp_path):
    """Its result has no observables; the circuit of an unfinished job prepares nothing."""
    asked = Problem.build(
        {"model": "ising_chain", "num_qubits": 3},
        0.3,
        mode="unitary",
        ansatz={"layers": 3},
        goal={"infidelity": 1e-12},
        optimizer={"max_steps": 20},
        limits={"threads": 1},
    )
    ear = Ear()
    summary = run(task(tmp_path / "a", asked), ear, Orders())
    assert summary["observables"] is None
    assert summary["infidelity"] < 1e-5
    (best, *_) = [data for kind, data in ear.heard if kind == "best"]
    first = load_circuit(tmp_path / "a" / best["directory"] / "circuit.qpy")
    made = load_circuit(tmp_path / "a" / "out" / "circuit.qpy")
    truth = expm(-0.3j * asked.to_hamiltonian().to_dense())
    for circuit, least in ((first, 0.99), (made, 0.99999)):
        overlap = np.vdot(truth, Operator(circuit.reverse_bits()).data) / 8
        assert abs(overlap) ** 2 > least
    assert read(tmp_path / "a")["certificate"]["spectral_kind"] == "exact"


def test_a_lattice_is_a_job_like_any_other(tmp_path):
    from aqc.figures import FIGURES

    asked = Problem.build(
        {"model": "xxz_ring", "num_qubits": 6},
        0.4,
        initial_state="neel",
        ansatz={"layers": 5},
        goal={"infidelity": 1e-12},
        optimizer={"max_steps": 30},
        limits={"threads": 1},
    )
    ear = Ear()
    summary = run(task(tmp_path / "a", asked), ear, Orders())
    assert summary["infidelity"] < 1e-4
    best = [data for kind, data in ear.heard if kind == "best"][-1]
    found = written(tmp_path / "a" / best["directory"])
    infidelity = 1 - abs(np.vdot(exact_state(asked), found)) ** 2
    assert infidelity == pytest.approx(best["infidelity"], abs=1e-6)
    drawn = json.loads((tmp_path / "a" / "out" / "figures.json").read_text())
    axes = FIGURES["circuit"](**drawn["circuit"]).axes[0]
    # The pair (0, 5) closes the ring and lies across the others of its layer.
    assert axes.get_xlabel() == "column"
    assert len(drawn["circuit"]["layers"]) == 5
