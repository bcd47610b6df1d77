"""B11: the antiferromagnet of arXiv:2503.09683 beside the published depths, and its other methods.

    python benchmarks/states.py [--addon-python PYTHON] [--output bench-states.json]

Published for one ground state of the XXZ chain of 50 sites: staircases 157 CZ deep with 409 CZ,
ADAPT-AQC 28 with 464, AQC-Tensor 18 with 441. Anisotropy and fidelities are not given there in a
form that was at hand, but the target's staggered magnetization is (the data of figure 5 in the
repository qiskit-community/adapt-aqc): 0.405426, that of Delta = 2.5 without fields.

Printed: ours by brick layers; staircases until three are passed, which have the published counts;
with --addon-python (an environment of benchmarks/requirements.txt) also qiskit-addon-aqc-tensor on
the same target, with six brick layers of three CX: depth 18, 441 CX.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from time import process_time
from typing import Any

from aqc import runtime

runtime.limit_threads(None)

import numpy as np  # noqa: E402

from aqc.compile import compile_state  # noqa: E402
from aqc.interop.fusion import from_zeros  # noqa: E402
from aqc.interop.quimb import ground_state  # noqa: E402
from aqc.interop.synthesis import synthesize, two_qubit_counts  # noqa: E402
from aqc.mps import MPS  # noqa: E402
from aqc.observables import Observables, bond_densities  # noqa: E402
from aqc.problem import Problem  # noqa: E402
from aqc.staircase import staircases  # noqa: E402

SITES, DELTA, BOND = 50, 2.5, 16
PUBLISHED_MAGNETIZATION = 0.405426
PUBLISHED = {"Ran": (157, 409), "ADAPT-AQC": (28, 464), "AQC-Tensor": (18, 441)}
BITS = "10" * (SITES // 2)

Row = dict[str, Any]


def target_state() -> tuple[MPS, Row]:
    """Return one of the two ordered ground states, and what tells that it is the published one."""
    model = {"model": "xxz_chain", "num_qubits": SITES, "delta": DELTA}
    hamiltonian = Problem.build(model, 0.0).to_hamiltonian()
    bits = np.eye(2)[[int(bit) for bit in BITS]]
    state, energy = ground_state(hamiltonian, max_bond=BOND, start=bits)
    z = Observables.of(bond_densities(state), None).z
    staggered = float(abs(np.mean((-1.0) ** np.arange(SITES) * z)) / 2)
    return state, {
        "delta": DELTA,
        "energy": energy,
        "max_bond": state.max_bond,
        "staggered_magnetization": staggered,
        "published_staggered_magnetization": PUBLISHED_MAGNETIZATION,
    }


def brick_layers(state: MPS, max_steps: int) -> list[Row]:
    """Compile with 3 to 7 layers."""
    model = {"model": "xxz_chain", "num_qubits": SITES, "delta": DELTA}
    hamiltonian = Problem.build(model, 0.0).to_hamiltonian()
    rows = []
    for layers in range(3, 8):
        began = process_time()
        result = compile_state(
            state,
            hamiltonian=hamiltonian,
            ansatz={"layers": layers},
            goal={"infidelity": 1e-6},
            optimizer={"max_steps": max_steps},
        )
        rows.append(
            {
                "method": f"aqc, {layers} layers",
                "cx_depth": result.two_qubit_depth,
                "cx": result.two_qubit_gates,
                "fidelity": 1 - result.certificate.infidelity,
                "evaluations": result.optimum.evaluations,
                "processor_seconds": process_time() - began,
            }
        )
        print(json.dumps(rows[-1]), flush=True)
    return rows


def stairs(state: MPS) -> list[Row]:
    """Undo one to six staircases."""
    rows = []
    for count in range(1, 7):
        found = staircases(state, infidelity=1e-9, most=count)
        gates, depth = two_qubit_counts(synthesize(from_zeros(found.circuit())).circuit)
        fidelity = 1 - found.infidelities[-1]
        name = f"{count} staircase{'s' * (count > 1)}"
        rows.append({"method": name, "cx_depth": depth, "cx": gates, "fidelity": fidelity})
        print(json.dumps(rows[-1]), flush=True)
    return rows


def addon(state: MPS, python: str, max_steps: int) -> Row:
    """Compile with the addon, in the environment of another Python."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "state.npz"
        np.savez(file, *state.tensors)
        script = Path(__file__).with_name("addon_state.py")
        command = [python, str(script), str(file), "--bits", BITS]
        command += ["--max-evaluations", str(max_steps)]
        found = subprocess.run(command, check=True, capture_output=True, text=True)
    row: Row = {"method": "qiskit-addon-aqc-tensor, 6 layers"} | json.loads(
        found.stdout.splitlines()[-1]
    )
    print(json.dumps(row), flush=True)
    return row


def main() -> None:
    """Run everything, print rows and write a JSON file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--addon-python")
    parser.add_argument("--max-steps", type=int, default=1000)
    parser.add_argument("--output", type=Path, default=Path("bench-states.json"))
    options = parser.parse_args()
    state, target = target_state()
    print(json.dumps(target), flush=True)
    rows = [*brick_layers(state, options.max_steps), *stairs(state)]
    if options.addon_python:
        rows.append(addon(state, options.addon_python, options.max_steps))
    else:
        print("qiskit-addon-aqc-tensor: not run, as no --addon-python was given", file=sys.stderr)
    report = {"target": target, "published": PUBLISHED, "rows": rows}
    options.output.write_text(json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main()
