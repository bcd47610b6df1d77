import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Delay
from qiskit.quantum_info import DensityMatrix, Statevector
from qiskit.transpiler import InstructionDurations, PassManager
from qiskit.transpiler.passes import ASAPScheduleAnalysis, PadDelay
from qiskit_aer import AerSimulator
from qiskit_aer.noise import NoiseModel, RelaxationNoisePass, depolarizing_error

from aqc.ansatz import Ansatz
from aqc.compile import compile_evolution
from aqc.emission import emit
from aqc.errors import InputError
from aqc.interop.circuits import as_gates
from aqc.noise import noise_fidelity, readout_fidelity
from aqc.problem import Problem
from aqc.settings import DeviceSettings

DT = 1e-9


def trotter(n: int, layers: int) -> QuantumCircuit:
    """Return a written circuit: CX and U."""
    model = {"model": "xxz_chain", "num_qubits": n, "delta": 0.5}
    problem = Problem.build(model, 1.0, initial_state="neel")
    ansatz = Ansatz.from_trotter(
        problem.to_hamiltonian(), 1.0, problem.product_state(), layers=layers, order=2
    )
    return emit(problem, ansatz).circuit


def simulated(
    circuit: QuantumCircuit, device: DeviceSettings, aimed: np.ndarray | None = None
) -> float:
    """Return the fidelity of the noisy state, by density matrices and Aer's own noise.

    Args:
        circuit: CX and U.
        device: Its noise.
        aimed: The vector to compare with, in Qiskit's order; the circuit's own if left out.
    """
    model = NoiseModel(basis_gates=["cx", "u", "id", "delay"])
    # An average gate error e is a depolarizing parameter e d / (d - 1).
    model.add_all_qubit_quantum_error(depolarizing_error(device.two_qubit_error * 4 / 3, 2), "cx")
    model.add_all_qubit_quantum_error(depolarizing_error(device.one_qubit_error * 2, 1), "u")
    noisy = circuit.copy()
    if device.t1 is not None:
        assert device.t2 is not None
        durations = InstructionDurations(
            [
                ("cx", None, round(device.two_qubit_duration / DT)),
                ("u", None, round(device.one_qubit_duration / DT)),
            ],
            dt=DT,
        )
        schedule = [ASAPScheduleAnalysis(durations), PadDelay(durations=durations)]
        noisy = PassManager(schedule).run(noisy)
        n = circuit.num_qubits
        relax = RelaxationNoisePass([device.t1] * n, [device.t2] * n, dt=DT, op_types=Delay)
        noisy = relax(noisy)
    noisy.save_density_matrix()
    simulator = AerSimulator(method="density_matrix", noise_model=model)
    rho = DensityMatrix(simulator.run(noisy, shots=1).result().data()["density_matrix"])
    aim = Statevector(circuit).data if aimed is None else aimed
    return float(np.vdot(aim, rho.data @ aim).real)


DEVICES = {
    "gates": DeviceSettings(two_qubit_error=1e-3, one_qubit_error=1e-4),
    "idle": DeviceSettings(
        two_qubit_error=0.0, t1=2e-4, t2=1e-4, two_qubit_duration=4e-7, one_qubit_duration=4e-8
    ),
    "all": DeviceSettings(
        two_qubit_error=1e-3,
        one_qubit_error=2e-4,
        t1=3e-4,
        t2=2e-4,
        two_qubit_duration=2e-7,
        one_qubit_duration=3e-8,
    ),
}


@pytest.mark.parametrize("name", DEVICES)
@pytest.mark.parametrize(("n", "layers"), [(5, 3), (8, 5)])
def test_predicted_infidelity_within_a_tenth_of_the_simulated(name, n, layers):
    circuit = trotter(n, layers)
    truth = 1 - simulated(circuit, DEVICES[name])
    assert 1e-3 < truth < 0.2
    assert 1 - noise_fidelity(as_gates(circuit), DEVICES[name]) == pytest.approx(truth, rel=0.1)


@pytest.mark.slow
@pytest.mark.parametrize("error", [1e-3, 3e-3, 1e-2])
def test_the_best_depth_is_best_in_a_noisy_simulation(error):
    n, depths = 10, [1, 2, 3, 4, 5, 6]
    device = {"two_qubit_error": error, "one_qubit_error": error / 10}
    result = compile_evolution(
        {"model": "xxz_chain", "num_qubits": n, "delta": 0.5},
        0.5,
        initial_state="neel",
        ansatz={"layers": depths},
        goal={"device": device},
        optimizer={"max_steps": 60},
    )
    target = result.target.mps.to_dense().reshape((2,) * n).transpose().ravel()
    noise = DeviceSettings(**device)
    truth = {
        depth.layers: simulated(emit(result.problem, depth.ansatz).circuit, noise, target)
        for depth in result.depths
    }
    assert max(truth, key=truth.get) == result.chosen.layers
    assert 1 < result.chosen.layers < 6
    for depth in result.depths:
        if depth.layers >= result.chosen.layers:
            told = 1 - depth.total_fidelity
            assert told == pytest.approx(1 - truth[depth.layers], rel=0.1)


def test_no_noise_and_no_entangling_gate():
    still = DeviceSettings(two_qubit_error=0.0)
    assert noise_fidelity(as_gates(trotter(4, 3)), still) == 1.0
    single = QuantumCircuit(1)
    single.h(0)
    assert noise_fidelity(as_gates(single), DeviceSettings(two_qubit_error=0.1)) == 1.0


def test_gates_between_distant_qubits_err_once():
    """A GHZ pair over five qubits: 1 - F = e (16 - 4) / 12 for a pure pair."""
    circuit = QuantumCircuit(5)
    circuit.h(0)
    circuit.cx(0, 4)
    predicted = noise_fidelity(as_gates(circuit), DeviceSettings(two_qubit_error=0.02))
    assert predicted == pytest.approx(0.98, rel=1e-12)


def test_readout_is_a_factor_for_every_qubit():
    device = DeviceSettings(two_qubit_error=0.0, readout_error=0.02)
    assert readout_fidelity(10, device) == pytest.approx(0.98**10)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"t1": 1e-4}, "must be given together"),
        ({"t1": 1e-4, "t2": 3e-4, "two_qubit_duration": 1e-7}, "at most 2 `t1`"),
        ({"t1": 1e-4, "t2": 1e-4}, "no qubit is ever idle"),
        ({"two_qubit_error": 0.9}, "two_qubit_error"),
    ],
)
def test_refusals(fields, message):
    with pytest.raises(InputError, match=message):
        Problem.build(
            {"model": "xxz_chain", "num_qubits": 4},
            1.0,
            goal={"device": {"two_qubit_error": 1e-3, **fields}},
        )
