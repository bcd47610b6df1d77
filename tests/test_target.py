import numpy as np

from aqc.evolved import evolve_within
from aqc.target import Target
from reference import kron, random_chain, random_product


def some_target() -> Target:
    return evolve_within(
        random_chain(4, seed=0), random_product(4, seed=1), 0.3, tolerance=1e-6, max_bond=8
    )


def test_bound_adds_angles_not_infidelities():
    mps = some_target().mps
    assert Target(mps, 0.01, 0.02, False).infidelity_bound == np.sin(0.03) ** 2
    assert Target(mps, 3.0, 0.0, True).infidelity_bound == 1.0


def test_arrays_restore_the_target():
    target = some_target()
    restored = Target.restored(target.arrays())
    assert np.array_equal(restored.mps.to_dense(), target.mps.to_dense())
    names = ("truncation_angle", "trotter_angle", "trotter_exact", "discarded_weight")
    for name in (*names, "steps", "evolver"):
        assert getattr(restored, name) == getattr(target, name)


def test_idle_qubits_are_in_zero():
    target = some_target()
    zeros = np.tile([1.0, 0.0], (2, 1))
    expected = np.kron(target.mps.to_dense(), kron(zeros))
    assert np.allclose(target.padded(6).mps.to_dense(), expected)
