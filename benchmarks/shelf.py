"""How the cost of the shelf's physics kernels grows, and what general solvers take instead.

`make bench-shelf` calls this. Times are of the processor, the least of three runs after one that
compiles. Exponents are those of the last two sizes.
"""

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.integrate import dblquad, solve_bvp, solve_ivp
from scipy.interpolate import CubicSpline

from aqc.kernels.causal_pinn import Lorenz, solve_causally
from aqc.kernels.chemotaxis_singular_limits import solve_chemotaxis, solve_chemotaxis_rectangle
from aqc.kernels.chemotaxis_singular_limits._radau import MOST_POINTS, rates_of
from aqc.kernels.chemotaxis_singular_limits._step import Box
from aqc.kernels.disparate_mass_boltzmann_ap import Maxwellian, Maxwellians, relax_mixture
from aqc.kernels.disparate_mass_boltzmann_ap._operators import Grid
from aqc.kernels.generalized_teacher_forcing import train_forced
from aqc.kernels.gp_high_frequency_pde import solve_on_interval, solve_on_rectangle
from aqc.kernels.nlse_pseudospectral import Solitons, evolve_field
from aqc.kernels.oscillator_chain_kpz import grow_roughness
from aqc.kernels.superposed_unruh_detector import measure_response

TWO = tuple(Maxwellian(0.5, (x, 0.0), 0.8) for x in (1.0, -1.0))


def seconds(run: Callable[[], Any], repeats: int = 3) -> float:
    """Least processor time of some runs after a first one."""
    run()
    times = []
    for _ in range(repeats):
        begin = time.process_time()
        run()
        times.append(time.process_time() - begin)
    return min(times)


def scaling(
    name: str, unit: str, theory: str, sizes: tuple[int, ...], cost: Callable[[int], float]
) -> None:
    """Print the cost of one unit at each size, and the exponent at the end."""
    found = [cost(size) for size in sizes]
    slope = np.log(found[-1] / found[-2]) / np.log(sizes[-1] / sizes[-2])
    each = ", ".join(f"{s}: {1e3 * t:.3g}" for s, t in zip(sizes, found, strict=True))
    print(f"| {name} | {unit} | {theory} | {each} | {slope:.2f} |", flush=True)


def response(gaps: int, direction: str) -> float:
    """Of one gap."""
    gap = np.linspace(0.5, 2, gaps)
    return seconds(lambda: measure_response(gap, 1.0, [1.0], direction, [4.0])) / gaps


def mixture(n_v: int, eps: float = 0.01) -> float:
    """Of one step."""
    given = {"eps": eps, "dt": 0.002, "n_steps": 20, "n_v": n_v}
    return seconds(lambda: relax_mixture(Maxwellians(TWO), Maxwellians(TWO), **given)) / 20


def process(points: int) -> float:
    """Of one epoch on an interval."""
    x = np.linspace(0, 1, points)
    wave = np.sin(20 * x)
    given = {"epochs": 100, "freq_scale": 6.0}
    return seconds(lambda: solve_on_interval(x, -400 * wave, wave[[0, -1]], x, **given)) / 100


def rectangle(points: int) -> float:
    """Of one epoch on a square."""
    x, edges = np.linspace(0, 1, points), np.zeros((2, points))
    wave = np.sin(6 * x)[:, None] * np.sin(6 * x)
    given = {"epochs": 20, "freq_scale": 3.0}
    at = np.linspace(0, 1, 5)
    return seconds(lambda: solve_on_rectangle(x, x, wave, edges, edges, at, at, **given)) / 20


def cells(points: int) -> tuple[np.ndarray, float]:
    """Densities on an interval of length 4."""
    x = (np.arange(points) + 0.5) * 4 / points
    return 1 + 0.8 * np.cos(np.pi * x / 4) + 0.3 * np.cos(np.pi * x / 2), 4.0


def chemotaxis(points: int) -> float:
    """Of one step on a square."""
    n0 = np.outer(*[cells(points)[0]] * 2)
    given = {"n_steps": 20, "n_snapshots": 2}
    run = lambda: solve_chemotaxis_rectangle(n0, n0, n0, [4.0, 4.0], 0.01, 1.0, **given)  # noqa: E731
    return seconds(run) / 20


def soliton(points: int, frame: str = "lab") -> Any:
    """The run of one soliton for two units of time."""
    initial = Solitons(np.ones(1), np.zeros(1), np.ones(1), points)
    return evolve_field(initial, 50.0, 2.0, 2, frame=frame)


def ring(size: int) -> float:
    """Of one step of 16 rings."""
    given = {"delta": 0.8, "D": 0.1, "n_realizations": 16}
    return seconds(lambda: grow_roughness(size, 20.0, **given)) / 200


def pinn(n_t: int) -> float:
    """Of one iteration."""
    given = {"iterations": 2000, "eps": [1e-4], "n_t": n_t}
    return seconds(lambda: solve_causally(Lorenz(), [1, 1, 1], 1.0, **given), 1) / 2000


def forcing(hidden: int) -> float:
    """Of one update."""
    rng = np.random.default_rng(0)
    series = np.cumsum(rng.normal(size=(1000, 3)), axis=0)
    given = {"hidden": hidden, "n_updates": 40}
    return seconds(lambda: train_forced(series, None, **given), 1) / 40


def costs() -> None:
    """Print what one unit costs at growing sizes."""
    print(
        "| kernel | unit | theory | milliseconds at each size | exponent |\n|---|---|---|---|---|"
    )
    scaling(
        "superposed-unruh, across", "gap", "1", (4, 16, 64), lambda n: response(n, "perpendicular")
    )
    scaling("superposed-unruh, along", "gap", "1", (4, 16, 64), lambda n: response(n, "parallel"))
    scaling("disparate-mass", "step, n_v", "n_v^2 log n_v", (16, 32, 64), mixture)
    print(f"| | step at eps = 1e-4, n_v = 32 | | {1e3 * mixture(32, 1e-4):.3g} | |")
    scaling("gp-high-frequency, interval", "epoch, N", "N^3", (80, 160, 320, 600), process)
    scaling("gp-high-frequency, square", "epoch, N by N", "N^3", (40, 80, 160), rectangle)
    scaling("chemotaxis, square", "step, N by N", "N^2 log N", (32, 64, 128, 256), chemotaxis)
    scaling(
        "nlse-pseudospectral",
        "run, N",
        "N^3",
        (256, 512, 1024, 2048),
        lambda n: seconds(lambda: soliton(n), 1),
    )
    scaling("oscillator-chain", "step of 16 rings, L", "L", (1024, 4096, 16384), ring)
    scaling("causal-pinn", "iteration, n_t", "n_t", (64, 256, 512), pinn)
    scaling("generalized-teacher-forcing", "update, H", "H", (64, 128, 256, 512), forcing)


def beside(name: str, general: str, ours: str) -> None:
    """Print one comparison."""
    print(f"| {name} | {general} | {ours} |", flush=True)


def quadrature() -> None:
    """The response along the acceleration by nested adaptive quadrature on a contour."""
    depth = np.pi

    def integrand(p: float, u: float) -> complex:
        s, y = u - 1j * depth, 2 * np.cosh(u / 2)
        window = np.exp(-(s**2) / 64 - p**2 / 16 - 1j * s)
        return complex(window / (4 * np.pi**2 * (y**2 + 1 + 2j * y * np.sinh(p))))

    begin = time.process_time()
    parts = [
        dblquad(lambda p, u, f=part: f(integrand(p, u)), -20, 20, -20, 20, epsabs=1e-8)[0]
        for part in (np.real, np.imag)
    ]
    spent = time.process_time() - begin
    call = lambda: measure_response([1.0], 1.0, [1.0], "parallel", [4.0])  # noqa: E731
    found = np.ravel(call().cross)[0]
    beside(
        "superposed-unruh, along",
        f"scipy.integrate.dblquad: {spent:.2g} s, differs by {abs(complex(*parts) - found):.1g}",
        f"{1e3 * seconds(call):.2g} ms",
    )


def stiff_mixture() -> None:
    """The light species alone for one step of the scheme, explicitly."""
    grid = Grid(8.0, 32, 8)
    f = Maxwellians(TWO).on(grid)

    def rate(_: float, y: np.ndarray) -> np.ndarray:
        g = y.reshape(32, 32)
        change = grid.collide(g, 1.0, grid.maxwellian(grid.moments(g))) + grid.isotropic(g) - g
        return 1e4 * change.ravel()

    evaluations = solve_ivp(rate, (0, 0.02), f.ravel(), "RK45", rtol=1e-3, atol=1e-6).nfev
    beside(
        "disparate-mass, eps = 0.01",
        f"solve_ivp RK45: {evaluations} collision integrals for a time of 0.02",
        "1 step, 1 collision integral of each species",
    )


def splines() -> None:
    """u'' = s at four points a wavelength, by collocation and by the process."""
    x, at = np.linspace(0, 2 * np.pi / 5, 80), np.linspace(0, 2 * np.pi / 5, 300)
    wave, exact = np.sin(100 * x), np.sin(100 * at)
    source = CubicSpline(x, -1e4 * wave)
    found = solve_bvp(
        lambda t, y: np.stack([y[1], source(t)]),
        lambda a, b: np.array([a[0] - wave[0], b[0] - wave[-1]]),
        x,
        np.zeros((2, 80)),
        max_nodes=100_000,
    )
    error = np.linalg.norm(found.sol(at)[0] - exact) / np.linalg.norm(exact)
    learned = solve_on_interval(x, -1e4 * wave, wave[[0, -1]], at, freq_scale=20.0)
    ours = np.linalg.norm(learned.u_eval - exact) / np.linalg.norm(exact)
    beside(
        "gp-high-frequency, sin(100 x) at 80 points",
        f"scipy's solve_bvp, source by a spline: relative error {error:.2g}",
        f"{ours:.2g}",
    )


def radau(shape: tuple[int, ...]) -> None:
    """Chemotaxis beside Radau on the same cosines, by the same transforms, at alike errors."""
    box, start = Box((4.0,) * len(shape), shape), cells(shape[0])[0]
    n0 = start if len(shape) == 1 else np.outer(start, start)
    given = (n0, 0.2 + 0 * n0, 0.5 * n0)
    first = np.stack([box.transform(v) for v in given]).ravel()
    rates, jacobian = rates_of(box, 1e-3, 1.0)

    def general(rtol: float) -> np.ndarray:
        options = {"rtol": rtol, "atol": rtol / 100, "jac": jacobian}
        found = solve_ivp(rates, (0, 0.5), first, "Radau", **options).y[:, -1]
        return box.values(found.reshape(3, *shape)[0])

    def ours(n_steps: int | None) -> np.ndarray:
        options = {"t_final": 0.5, "n_steps": n_steps, "n_snapshots": 2}
        if len(shape) == 1:
            return solve_chemotaxis(*given, 4.0, 1e-3, 1.0, **options).n[-1]
        return solve_chemotaxis_rectangle(*given, [4.0, 4.0], 1e-3, 1.0, **options).n[-1]

    exact = general(1e-8 if len(shape) == 1 else 1e-5)

    def told(run: Callable[[], np.ndarray]) -> str:
        return f"{seconds(run, 1):.2g} s, error {np.abs(run() - exact).max():.1g}"

    of_library = f"solve_ivp Radau, rtol 1e-3: {told(lambda: general(1e-3))}"
    of_scheme = f"500 steps: {told(lambda: ours(500))}"
    if len(shape) == 1 and shape[0] <= MOST_POINTS:
        of_scheme = f"uses Radau: {told(lambda: ours(None))}; with {of_scheme}"
    beside(f"chemotaxis, eps = 0.001, {' x '.join(map(str, shape))}", of_library, of_scheme)


def frames() -> None:
    """DOP853 is what the kernel itself uses, in two frames."""
    lab, moving = soliton(1024), soliton(1024, "interaction")
    beside(
        "nlse-pseudospectral, 1024 points",
        f"scipy's DOP853 as it is: {lab.rhs_evaluations} evaluations",
        f"the same with exp(-i k^2 t / 2) taken out: {moving.rhs_evaluations}",
    )


def rings() -> None:
    """Fixed frequencies: a deterministic system of 8192 phases."""
    rng = np.random.default_rng(0)
    given = 0.1 * rng.normal(size=(8, 1024))

    def rate(_: float, y: np.ndarray) -> np.ndarray:
        d = np.diff(y.reshape(8, 1024), axis=1, append=y.reshape(8, 1024)[:, :1])
        forward, back = np.sin(d + 0.8), np.sin(0.8 - np.roll(d, 1, axis=1))
        return (given + forward + back - 2 * np.sin(0.8)).ravel()

    def general() -> float:
        options = {"method": "DOP853", "rtol": 1e-6, "atol": 1e-8}
        phases = solve_ivp(rate, (0, 100.0), np.zeros(8192), **options).y[:, -1]
        return float(np.sqrt(phases.reshape(8, 1024).var(axis=1).mean()))

    def ours() -> float:
        options = {"delta": 0.8, "n_realizations": 8, "frequencies": given}
        return float(grow_roughness(1024, 100.0, **options).width[-1])

    beside(
        "oscillator-chain, columnar, 8 rings of 1024, t = 100",
        f"solve_ivp DOP853: {seconds(general):.2g} s, width {general():.6g}",
        f"uses DOP853, with 40 records: {seconds(ours):.2g} s, width {ours():.6g}",
    )


def lorenz() -> None:
    """Answers hold DOP853's solution: the kernel is about networks, and not the fastest way."""

    def rate(_: float, y: np.ndarray) -> list[float]:
        return [10 * (y[1] - y[0]), y[0] * (28 - y[2]) - y[1], y[0] * y[1] - 8 / 3 * y[2]]

    spent = seconds(lambda: solve_ivp(rate, (0, 1), [1, 1, 1], "DOP853", rtol=1e-10))
    beside(
        "causal-pinn, Lorenz, T = 1",
        f"solve_ivp DOP853 to 1e-10: {1e3 * spent:.2g} ms",
        f"uses DOP853 for each answer's reference; 60 000 iterations: {60_000 * pinn(256):.2g} s",
    )


def without() -> None:
    """The two whose general solvers are parts of them, or do not exist."""
    beside(
        "adaptive-rom-error-indicator",
        "scipy.sparse's spsolve, scipy.optimize's nnls, scipy.linalg's pivoted QR",
        "uses them; a reduced step runs the law at 73 of 288 points, 72 of 2592",
    )
    beside(
        "generalized-teacher-forcing",
        "none trains a network with forced states",
        "uses optax's RAdam, scipy.ndimage",
    )


if __name__ == "__main__":
    costs()
    print("\n| kernel | general solver | the kernel |\n|---|---|---|")
    quadrature()
    stiff_mixture()
    splines()
    for shape in ((32,), (64,), (128,), (256,), (16, 16)):
        radau(shape)
    frames()
    rings()
    lorenz()
    without()
