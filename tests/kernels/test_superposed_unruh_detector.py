"""The contour integrals against brute force, closed forms and their symmetries."""

import numpy as np
import pytest
from scipy.interpolate import BarycentricInterpolator
from scipy.linalg import expm

from aqc.errors import InputError
from aqc.kernels.superposed_unruh_detector import (
    measure_energy_coherence,
    measure_response,
    thermalize_controlled,
)


def brute_force(shift, epsilon, gaps=(1.0, 1.0), kappa=1.0, sigma=1.0):
    """The double integral over both times, on the real axis and with a finite i epsilon."""
    s = np.arange(-12 * sigma, 12 * sigma, epsilon / 5)
    p = np.arange(-6 * sigma, 6 * sigma, epsilon / 4)[:, None]
    t, other = p + s / 2, p - s / 2
    # In proper time: one in the common time would shrink along the paths.
    late, early = t - 1j * epsilon / 2, other + 1j * epsilon / 2
    time = (np.sinh(kappa * late) - np.sinh(kappa * early)) / kappa
    along = (np.cosh(kappa * late) - np.cosh(kappa * early)) / kappa - shift[0]
    wightman = -1 / (4 * np.pi**2 * (time**2 - along**2 - shift[1] ** 2))
    window = np.exp(-(t**2 + other**2) / (2 * sigma**2))
    total = np.sum(window * np.exp(-1j * gaps[0] * t + 1j * gaps[1] * other) * wightman)
    return total * epsilon**2 / 20


def extrapolated(shift, **options):
    """To epsilon = 0, by the polynomial through all values."""
    epsilons = 0.1 * np.arange(1, 9)
    values = [brute_force(shift, eps, **options) for eps in epsilons]
    return BarycentricInterpolator(epsilons, np.array(values))(0.0)


@pytest.mark.parametrize(
    ("direction", "shift"), [("parallel", (1.0, 0.0)), ("perpendicular", (0.0, 1.0))]
)
def test_against_the_double_integral(direction, shift):
    found = measure_response([1.0], 1.0, [1.0], direction, [1.0])
    exact = extrapolated(shift)
    assert found.cross[0, 0, 0] == pytest.approx(exact.real, rel=2e-6)
    assert abs(exact.imag) < 1e-8
    if direction == "parallel":
        assert found.cross[0, 0, 0] == pytest.approx(0.00805748684, rel=1e-8)


def test_one_path_against_the_double_integral():
    found = measure_response([1.0], 1.0, [1.0], "parallel", [1.0])
    assert found.local[0, 0] == pytest.approx(extrapolated((0.0, 0.0)).real, rel=1e-5)


def test_two_gaps_against_the_double_integral():
    found = measure_energy_coherence([[0.75, 1.25], [1.25, 0.75]], 1.0, [1.0], "parallel", [1.0])
    exact = [extrapolated((1.0, 0.0), gaps=g) for g in ((0.75, 1.25), (1.25, 0.75), (1.0, 1.0))]
    want = np.abs(exact[:2]) / abs(exact[2])
    assert abs(want[0] - want[1]) > 0.1
    np.testing.assert_allclose(found[0, 0], want, rtol=1e-5)


@pytest.mark.parametrize("sigma", [0.05, 0.3, 3.0])
def test_the_contour_may_lie_anywhere(sigma):
    """Another depth gives the same integral."""
    from aqc.kernels.superposed_unruh_detector._contour import (
        Setting,
        contour_of,
        cross_response,
        local_response,
    )

    for gap in (0.7, -0.7, 4.0, -4.0):
        setting = Setting(gap, 1.0, sigma)
        contour = contour_of(setting)
        room = min(contour.depth, 2 * np.pi - contour.depth)
        moved = contour._replace(
            depth=contour.depth + 0.2 * room * (1 if contour.depth < np.pi else -1),
            step_u=contour.step_u / 2,
            count_u=2 * contour.count_u,
            step_p=contour.step_p / 2,
        )
        for direction in ("parallel", "perpendicular"):
            first = cross_response(setting, contour, 0.6, direction)
            second = cross_response(setting, moved, 0.6, direction)
            np.testing.assert_allclose(second, first, rtol=1e-9)
        assert local_response(setting, moved) == pytest.approx(
            local_response(setting, contour), rel=1e-11
        )


def test_long_windows_tend_to_the_closed_forms():
    sigma = np.array([12.5, 25.0, 50.0])
    found = measure_response([0.5, 1.0, 2.0], 1.0, [1.0], "perpendicular", sigma)
    off = np.stack(
        [
            found.local / found.closed_form_local - 1,
            found.cross[:, 0] / found.closed_form_cross[:, 0] - 1,
        ]
    )
    assert np.abs(off[:, -1]).max() < 0.005
    slopes = np.diff(np.log(np.abs(off)), axis=1) / np.log(2)
    np.testing.assert_allclose(slopes, -2, atol=0.1)
    temperature = measure_response([1.0], 1.0, [1.0], "parallel", [4, 8, 16]).local_temperature
    np.testing.assert_allclose(temperature[:, 0] * 2 * np.pi, [1.0688, 1.0169, 1.0042], atol=2e-4)


def test_across_the_acceleration_both_outcomes_thermalize():
    found = measure_response([1.0], 1.0, [1.0], "perpendicular", [8.0, 16.0])
    limit = np.sin(2 * np.arcsinh(0.5)) / np.sqrt(1.25)
    assert limit == pytest.approx(0.7339, abs=1e-4)
    off = found.coherence[:, 0, 0] - limit
    assert 0 < off[1] < off[0] / 3
    assert off[1] < 0.003
    for branch in (found.plus, found.minus):
        reached = branch.temperature[:, 0, 0] / found.unruh_temperature
        assert abs(reached[1] - 1) < 0.005
        assert abs(reached[1] - 1) < abs(reached[0] - 1)


def test_along_the_acceleration_coherence_moves_to_the_energies():
    sigma = np.array([4.0, 8.0, 16.0])
    found = measure_response([1.0], 1.0, [1.0], "parallel", sigma)
    slope = np.polyfit(np.log(sigma), np.log(found.coherence[:, 0, 0]), 1)[0]
    assert slope == pytest.approx(-1, abs=0.1)
    pair = [[0.75, 1.25]]
    along = measure_energy_coherence(pair, 1.0, [1.0], "parallel", sigma)[:, 0, 0]
    across = measure_energy_coherence(pair, 1.0, [1.0], "perpendicular", sigma)[:, 0, 0]
    assert along.min() > 1.4
    assert along.max() < 1.6
    np.testing.assert_allclose(across, np.exp(-(sigma**2) / 16), rtol=1e-9)
    # The ratio of excitation to de-excitation does not tell: it is thermal here too.
    assert abs(found.plus.temperature[-1, 0, 0] / found.unruh_temperature - 1) < 0.005


@pytest.mark.parametrize("direction", ["perpendicular", "parallel"])
def test_outcomes_add_up(direction):
    found = measure_response([0.3, -2.0], 0.7, [0.4, 3.0], direction, [2.0, 30.0], coupling=0.1)
    total = found.plus.probability + found.minus.probability
    np.testing.assert_allclose(
        total, np.broadcast_to(found.local[:, None], total.shape), rtol=1e-10
    )
    np.testing.assert_allclose(
        found.plus.probability - found.minus.probability, found.cross, rtol=1e-9, atol=1e-18
    )
    assert (found.minus.probability > 0).all()


@pytest.mark.parametrize("direction", ["perpendicular", "parallel"])
def test_near_paths_keep_the_digits_of_their_difference(direction):
    """P_11 - P_12 grows as L^2, without losing digits to the difference."""
    found = measure_response([1.0], 1.0, [1e-5, 1e-4], direction, [1.0])
    ratio = found.minus.probability[0, 1, 0] / found.minus.probability[0, 0, 0]
    assert ratio == pytest.approx(100, rel=1e-6)


def test_units_are_those_of_the_acceleration():
    one = measure_response([1.0], 1.0, [2.0], "parallel", [3.0])
    other = measure_response([10.0], 10.0, [0.2], "parallel", [0.3])
    assert other.cross == pytest.approx(one.cross, rel=1e-12)
    assert other.plus.temperature == pytest.approx(10 * one.plus.temperature, rel=1e-12)


def random_state(rng, d, rank=None):
    root = rng.normal(size=(2, d, rank or d)) @ np.eye(rank or d)
    state = (root[0] + 1j * root[1]) @ (root[0] + 1j * root[1]).conj().T
    return state / np.trace(state).real


def test_the_swap_against_the_joint_evolution_of_system_and_baths():
    rng = np.random.default_rng(0)
    rho, tau1, tau2 = (random_state(rng, 2) for _ in range(3))
    swap = np.eye(4)[[0, 2, 1, 3]]
    with_first = np.kron(swap, np.eye(2))
    exchange = np.kron(np.eye(2), swap)
    with_second = exchange @ with_first @ exchange
    state = np.kron(rho, np.kron(tau1, tau2))
    found = thermalize_controlled(rho, tau1, tau2)
    for i, left in enumerate((with_first, with_second)):
        for j, right in enumerate((with_first, with_second)):
            joint = (left @ state @ right.T).reshape(2, 4, 2, 4)
            block = np.trace(joint, axis1=1, axis2=3) / 2
            np.testing.assert_allclose(found.blocks[i, j], block, atol=1e-14)
    plus = sum(found.blocks[i, j] for i in range(2) for j in range(2)) / 2
    assert found.probability_plus == pytest.approx(np.trace(plus).real)
    np.testing.assert_allclose(found.rho_plus, plus / np.trace(plus), atol=1e-14)
    assert found.probability_plus + found.probability_minus == pytest.approx(1)


def test_two_baths_of_one_temperature_do_not_leave_a_thermal_state():
    rng = np.random.default_rng(1)
    energy = np.diag([0.0, 1.0])
    tau = expm(-energy) / np.trace(expm(-energy))
    rho = random_state(rng, 2, rank=1)
    separate = thermalize_controlled(rho, tau, tau)
    shared = thermalize_controlled(rho, tau)
    assert separate.distance_plus > 0.05
    assert separate.distance_minus > 0.05
    np.testing.assert_allclose(shared.rho_plus, tau, atol=1e-15)
    assert shared.distance_plus < 1e-15
    assert shared.probability_minus == 0
    assert shared.rho_minus is None


BODY = {
    "gap": [1.0],
    "kappa": 1.0,
    "separation": [1.0],
    "direction": "parallel",
    "sigma": [1.0],
}
STATE = np.diag([0.5, 0.5])


@pytest.mark.parametrize(
    ("function", "changed", "sentence"),
    [
        (measure_response, {"kappa": 0.0}, "`kappa` must be at least"),
        (measure_response, {"sigma": [-1.0]}, "`sigma` must lie between 0.01 and 200"),
        (measure_response, {"sigma": [201.0]}, "use the closed forms"),
        (measure_response, {"separation": [-1.0]}, "`separation` must lie between 1e-06"),
        (measure_response, {"separation": [0.0]}, "`separation` must lie between 1e-06"),
        (measure_response, {"gap": [1.0, 0.0]}, "`gap` must lie between 0.001 and 50"),
        (measure_response, {"gap": [np.nan]}, "must be finite"),
        (measure_response, {"gap": np.linspace(1, 50, 256), "sigma": [200.0]}, "nodes in all"),
        (measure_response, {"direction": "across"}, 'one of "perpendicular", "parallel"'),
        (measure_energy_coherence, {"gap": None, "gap_pairs": [[1, -1]]}, "`gap_pairs` must lie"),
        (measure_energy_coherence, {"gap": None, "gap_pairs": [[30, 1]]}, "differ by at most 20"),
        (thermalize_controlled, {"rho": STATE + 0.1j, "tau1": STATE}, "must be Hermitian"),
        (thermalize_controlled, {"rho": STATE, "tau1": 2 * STATE}, "must have trace 1"),
        (
            thermalize_controlled,
            {"rho": STATE, "tau1": STATE, "tau2": np.diag([1.5, -0.5])},
            "`tau2` must be positive semidefinite",
        ),
    ],
)
def test_refusals(function, changed, sentence):
    body = changed if function is thermalize_controlled else BODY | changed
    body = {name: value for name, value in body.items() if value is not None}
    with pytest.raises(InputError, match=sentence):
        function(**body)
