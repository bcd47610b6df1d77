"""Dictionaries from a stream: the step's minimum, recovery of planted atoms, and the rate."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from aqc.errors import InputError
from aqc.kernels._kernel import drain
from aqc.kernels.online_orthogonal_dictionary import (
    KERNEL,
    Stream,
    encode,
    frank_wolfe_gap,
    learn_dictionary,
    learn_dictionary_steps,
    learn_offline,
    recovery_error,
)
from aqc.kernels.online_orthogonal_dictionary._measures import polar, slope, sparsity

SEEDS = range(6)


def planted(seed, n=16, theta=0.3, samples=24_000, noise=0.0):
    """Signals of Bernoulli-Gaussian codes, and their dictionary."""
    rng = np.random.default_rng(100 + seed)
    truth = np.linalg.qr(rng.normal(size=(n, n)))[0]
    codes = rng.normal(size=(n, samples)) * (rng.random((n, samples)) < theta)
    return truth @ codes + noise * rng.normal(size=(n, samples)), truth


def test_the_step_is_the_least_of_the_ball():
    rng = np.random.default_rng(1)
    gradient = rng.normal(size=(7, 7))
    best = np.sum(-polar(gradient) * gradient)
    np.testing.assert_allclose(best, -np.linalg.norm(gradient, "nuc"), rtol=1e-12)
    others = rng.normal(size=(1000, 7, 7))
    others /= np.linalg.norm(others, 2, axis=(1, 2))[:, None, None]
    assert np.einsum("sij,ij->s", others, gradient).min() > best


@pytest.mark.parametrize("p", [3.0, 3.5, 4.0])
def test_gradient(p):
    signals, dictionary = np.random.default_rng(2).normal(size=(2, 6, 6))

    def value(d):
        return -jnp.mean(jnp.sum(jnp.abs(d.T @ signals) ** p, axis=0))

    with jax.enable_x64(True):
        exact = jax.grad(value)(jnp.asarray(dictionary))
    np.testing.assert_allclose(slope(dictionary, signals, p), exact, rtol=1e-10)


def test_steps_by_loops():
    signals, _ = planted(3, n=4, samples=200)
    dictionary = np.linalg.qr(np.random.default_rng(7).normal(size=(4, 4)))
    dictionary = dictionary[0] * np.sign(np.diag(dictionary[1]))
    average = np.zeros((4, 4))
    for t in range(1, 41):
        y = signals[:, 5 * (t - 1) : 5 * t]
        gradient = np.zeros((4, 4))
        for column in y.T:
            z = dictionary.T @ column
            gradient -= 3 / 5 * np.outer(column, np.sign(z) * z**2)
        average += min(1, t**-0.5) * (gradient - average)
        u, _, vt = np.linalg.svd(average)
        dictionary += min(1, t**-0.75) * (-u @ vt - dictionary)
    result = learn_dictionary(signals, batch=5, seed=7)
    np.testing.assert_allclose(result.stream.dictionary, dictionary, atol=1e-11)
    np.testing.assert_allclose(result.stream.gradient, average, atol=1e-10)
    assert result.stream.t == 40


def test_the_iterates_stay_in_the_ball():
    signals, _ = planted(4)
    states = [state for _, state in learn_dictionary_steps(signals[:, :3000], batch=1)]
    assert len(states) > 20
    for state in states:
        assert np.linalg.norm(state["carry"][0], 2) <= 1 + 1e-12


@pytest.mark.parametrize("seed", SEEDS)
def test_planted_atoms_are_found_nearly_as_well_as_offline(seed):
    signals, truth = planted(seed)
    online = learn_dictionary(signals, seed=seed, truth=truth)
    assert online.errors[0] > 0.5
    assert online.errors[-1] < 2e-3
    offline = recovery_error(learn_offline(signals, seed=seed).dictionary, truth)
    assert offline < 5e-4
    assert online.errors[-1] < offline + 2e-3
    np.testing.assert_allclose(online.dictionary.T @ online.dictionary, np.eye(16), atol=1e-12)
    assert online.after.ratio < 0.6 < 0.75 < online.before.ratio
    # Three tenths of the entries carry nearly all.
    assert online.after.energy[9] > 0.99 > online.before.energy[9]


@pytest.mark.parametrize(
    ("planting", "error"),
    [
        pytest.param({"n": 32, "theta": 0.2}, 2e-3, marks=pytest.mark.slow),
        ({"noise": 0.1}, 4e-3),
    ],
)
def test_more_atoms_and_noise(planting, error):
    for seed in range(5):
        signals, truth = planted(seed, **planting)
        assert learn_dictionary(signals, seed=seed, truth=truth).errors[-1] < error


def test_averaging_is_what_lets_single_signals_do():
    averaged, plain = [], []
    for seed in SEEDS:
        signals, truth = planted(seed)
        arguments = {"signals": signals[:, :3000], "batch": 1, "seed": seed, "truth": truth}
        averaged.append(learn_dictionary(**arguments).errors[-1])
        # rho_t = 1 throughout: only the last gradient counts.
        plain.append(learn_dictionary(**arguments, rho=100.0).errors[-1])
    assert min(plain) > 0.5
    assert np.median(averaged) < 1e-2
    assert np.median(plain) > 50 * np.median(averaged)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_gap_falls_at_the_rate(seed):
    signals, _ = planted(seed)
    result = learn_dictionary(signals[:, :3000], batch=1, seed=seed)
    scaled = result.gaps * result.times**0.25 / np.log(np.maximum(result.times, 2))
    marks = np.interp(np.log([100, 300, 1000, 3000]), np.log(result.times), scaled)
    assert np.all(np.diff(marks) < 0)
    # The iterates come near the orthogonal matrices by themselves.
    assert result.defects[-1] < 0.1 < result.defects[5:].max()


def test_gaussian_codes_have_no_dictionary():
    signals, truth = planted(0, theta=1.0)
    assert learn_dictionary(signals, truth=truth).errors[-1] > 0.5


def test_signals_that_are_not_isotropic_have_to_be_whitened():
    rng = np.random.default_rng(5)
    codes = rng.normal(size=(8, 20_000)) * (rng.random((8, 20_000)) < 0.2)
    mixing = rng.normal(size=(8, 8)) + 2 * np.eye(8)
    signals = mixing @ codes

    def unmixed(result):
        # Rows of D^T W A: one entry each if every atom is one source.
        gains = (result.dictionary.T @ result.whitening @ mixing) ** 2
        return np.min(gains.max(1) / gains.sum(1))

    assert unmixed(learn_dictionary(signals, whiten=True)) > 0.99
    assert unmixed(learn_dictionary(signals)) < 0.9


def test_a_stream_goes_on_where_it_stood():
    signals, _ = planted(6, n=8, samples=1600)
    whole = learn_dictionary(signals)
    first = learn_dictionary(signals[:, :800])
    second = learn_dictionary(signals[:, 800:], resume=first.stream)
    np.testing.assert_allclose(second.stream.dictionary, whole.stream.dictionary, atol=1e-12)
    assert second.stream.t == whole.stream.t == 200
    assert second.times[0] == 101
    # Small pieces are fine for a stream that goes on.
    assert learn_dictionary(signals[:, :8], resume=first.stream).stream.t == 101


def test_batches_of_zeros_are_no_steps():
    signals, _ = planted(7, n=8, samples=800)
    padded = np.insert(signals, [80] * 16, 0.0, axis=1)
    result = learn_dictionary(padded)
    assert result.skipped == 2
    np.testing.assert_array_equal(
        result.stream.dictionary, learn_dictionary(signals).stream.dictionary
    )


def test_a_resumed_run_is_the_same_run():
    signals, truth = planted(8, n=6, samples=900)
    states = [state for _, state in learn_dictionary_steps(signals, truth=truth)]
    resumed = drain(learn_dictionary_steps(signals, truth=truth, state=states[10]))
    whole = learn_dictionary(signals, truth=truth)
    np.testing.assert_array_equal(resumed.stream.gradient, whole.stream.gradient)
    np.testing.assert_array_equal(resumed.errors, whole.errors)


def test_measures():
    shuffled = np.eye(5)[:, [3, 0, 4, 1, 2]] * [1, -1, 1, -1, -1]
    assert recovery_error(shuffled, np.eye(5)) == 0
    flat = sparsity(np.ones((4, 3)))
    assert (flat.ratio, flat.support, flat.energy.tolist()) == (1, 1, [0.25, 0.5, 0.75, 1])
    assert sparsity(np.eye(4)).ratio == 0.5
    # At a stationary orthogonal matrix the gap is zero: signals along the atoms.
    assert abs(frank_wolfe_gap(shuffled, shuffled, 3.0)) < 1e-14


def test_codes_keep_the_largest():
    signals, truth = planted(9, n=8, samples=50)
    kept = encode(truth, signals, 8)
    assert kept.residual < 1e-14
    few = encode(truth, signals, 2)
    assert (np.count_nonzero(few.codes, axis=0) <= 2).all()
    full = truth.T @ signals
    best = np.sort(full**2, axis=0)[-2:].sum()
    np.testing.assert_allclose(few.residual, np.sqrt(1 - best / np.sum(full**2)), rtol=1e-12)


SOME = np.random.default_rng(10).normal(size=(3, 60))


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: learn_dictionary(SOME[0]), r"`signals` must have 2 axes \(n, samples\)"),
        (lambda: learn_dictionary(SOME[:1]), "`signals` must have at least 2 entries"),
        (lambda: learn_dictionary(SOME * np.inf), "`signals` must be finite"),
        (lambda: learn_dictionary(SOME, p=2.0), "`p` must be at least 3"),
        (lambda: learn_dictionary(SOME, p=5.0), "`p` must be at most 4"),
        (
            lambda: learn_dictionary(SOME[:, :29]),
            "`signals` must hold at least 30 samples to learn 3 atoms, but holds 29",
        ),
        (lambda: learn_dictionary(SOME, batch=61), "`batch` must be at most the 60 samples"),
        (
            lambda: learn_dictionary(SOME, batch=1, epochs=1000),
            "must ask for at most 50000 steps, but ask for 60000",
        ),
        (
            lambda: learn_dictionary(SOME, resume=Stream(1, np.eye(4), np.eye(4))),
            "`resume.dictionary` must have 3 entries along axis 0",
        ),
        (
            lambda: learn_dictionary(SOME, resume=Stream(1, 2 * np.eye(3), np.eye(3))),
            "`resume.dictionary` must have a spectral norm of at most 1, but has 2",
        ),
        (lambda: learn_dictionary(SOME, truth=np.ones((3, 3))), "`truth` must be orthogonal"),
        (
            lambda: learn_dictionary(SOME[[0, 1, 1]], whiten=True),
            "`signals` must span all 3 dimensions to be whitened, but their rank is 2",
        ),
        (lambda: learn_offline(0 * SOME), "`signals` must not be all zero"),
        (lambda: encode(np.eye(3), SOME, 4), "`keep` must be at most the 3 atoms, but is 4"),
        (lambda: encode(0.9 * np.eye(3), SOME, 1), "`dictionary` must be orthogonal"),
    ],
)
def test_refusals(call, sentence):
    with pytest.raises(InputError, match=sentence):
        call()


def test_work_beyond_the_limit_is_refused():
    signals = np.ones((128, 50_000))
    with pytest.raises(InputError, match="takes at most 1e\\+12 multiplications in one call"):
        KERNEL.operation("learn-dictionary").run({"signals": signals, "batch": 1})
