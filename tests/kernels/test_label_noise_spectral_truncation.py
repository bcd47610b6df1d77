"""Spectral truncation: exact cases, against scikit-learn, and on the digits with controls."""

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.linear_model import Ridge

from aqc.errors import InputError
from aqc.kernels._kernel import drain
from aqc.kernels.label_noise_spectral_truncation import (
    KERNEL,
    Samples,
    train_on_noisy_labels,
    train_on_noisy_labels_steps,
    truncate_features,
    truncate_head,
    wrong_labels,
)
from aqc.kernels.label_noise_spectral_truncation._spectrum import spectrum_of
from aqc.kernels.label_noise_spectral_truncation._truncate import _steps_of_refit


def features(seed, n=200, width=12, classes=4):
    """Classes along some directions; noisy and true labels; a head that is not centered."""
    rng = np.random.default_rng(seed)
    true = rng.integers(classes, size=n)
    z = rng.normal(size=(classes, width))[true] + 0.5 * rng.normal(size=(n, width)) + 3
    labels = wrong_labels(true, classes, 0.3, "symmetric", seed)
    return z, labels, rng.normal(size=(width, classes)), rng.normal(size=classes), true


def digits(seed, train=None):
    """Training and test inputs with labels; 500 are for testing."""
    bunch = load_digits()
    order = np.random.default_rng(50 + seed).permutation(len(bunch.target))
    x, y = bunch.data[order] / 16, bunch.target[order]
    return x[500:][:train], y[500:][:train], x[:500], y[:500]


def test_all_directions_are_the_head_itself():
    z, labels, weight, bias, true = features(1)
    whole = truncate_head(z, weight, bias, 12)
    np.testing.assert_allclose(whole.weight, weight, atol=1e-12)
    np.testing.assert_allclose(whole.bias, bias, atol=1e-12)
    found = (z @ weight + bias).argmax(1)
    result = truncate_features(z, labels, weight, bias, true, directions=(12,))
    wrong = labels != true
    assert 0 < wrong.sum() < len(z)
    assert result.head.memorized[0] == np.mean(found[wrong] == labels[wrong])
    assert result.head.fitted[0] == np.mean(found[~wrong] == labels[~wrong])


@pytest.mark.parametrize("d", [1, 5, 11])
def test_the_folded_head_is_the_projection(d):
    z, labels, weight, bias, true = features(2)
    mean = z.mean(0)
    axes = np.linalg.svd(z - mean)[2][:d].T
    logits = (mean + (z - mean) @ axes @ axes.T) @ weight + bias
    head = truncate_head(z, weight, bias, d)
    np.testing.assert_allclose(z @ head.weight + head.bias, logits, atol=1e-11)
    assert not np.allclose(logits, z @ weight + bias, atol=0.1)
    # The curve's cumulative sums are the same head.
    test = Samples(z, true)
    curve = truncate_features(z, labels, weight, bias, test=test, directions=(1, 5, 11)).head
    accuracy = np.mean(logits.argmax(1) == true)
    assert curve.test_accuracy[[1, 5, 11].index(d)] == accuracy


@pytest.mark.parametrize("d", [2, 7, 12])
def test_the_refit_is_scikit_learns(d):
    z, labels, weight, bias, _ = features(3)
    pca = PCA(d).fit(z)
    ridge = Ridge(alpha=1e-3 * len(z)).fit(pca.transform(z), np.eye(4)[labels])
    expected = ridge.predict(pca.transform(z))
    spectrum = spectrum_of(z)
    steps = _steps_of_refit(spectrum, z, labels, 4, 1e-3)[:d]
    start = np.eye(4)[labels].mean(0)
    predicted = start + (z - spectrum.mean) @ spectrum.axes[:, :d] @ steps
    np.testing.assert_allclose(predicted, expected, atol=1e-10)
    result = truncate_features(z, labels, weight, bias, directions=(d,), ridge=1e-3)
    assert result.refit.fitted[0] == np.mean(expected.argmax(1) == labels)


@pytest.mark.parametrize("rank", [2, 3, 4])
def test_a_planted_signal_has_its_rank(rank):
    rng = np.random.default_rng(4)
    classes = 2**rank
    labels = np.arange(50 * classes) % classes
    # Each bit of the class is one direction; the noise stands orthogonal and is weaker.
    bits = 1 - 2 * (np.arange(classes)[:, None] >> np.arange(rank) & 1)
    signal = bits[labels] * (5 - 0.5 * np.arange(rank))
    z = np.c_[signal, 0.2 * rng.normal(size=(len(labels), 8))]
    weight = np.vstack([bits.T, 0.1 * rng.normal(size=(8, classes))])
    result = truncate_features(
        z,
        labels,
        weight,
        np.zeros(classes),
        test=Samples(z, labels),
        directions=tuple(range(1, 9)),
    )
    assert result.refit.signal_directions == result.head.signal_directions == rank


def test_energy_and_effective_rank():
    z, labels, weight, bias, true = features(5)
    result = truncate_features(z, labels, weight, bias, true)
    u, s, _ = np.linalg.svd(z - z.mean(0), full_matrices=False)
    np.testing.assert_allclose(result.spectrum * len(z), s**2, rtol=1e-10)
    noise = np.eye(4)[labels] - np.eye(4)[true]
    noise -= noise.mean(0)
    shares = np.sum((u.T @ noise) ** 2, axis=1) / np.sum(noise**2)
    np.testing.assert_allclose(result.noise_energy, shares, rtol=1e-9)
    assert result.signal_energy[:3].sum() > 0.5 > result.noise_energy.sum()
    p = s**2 / np.sum(s**2)
    assert result.effective_rank == pytest.approx(np.prod(p**-p))


def test_what_is_not_known_is_not_told():
    z, labels, weight, bias, _ = features(6)
    result = truncate_features(z, labels, weight, bias)
    assert result.head.test_accuracy is result.head.memorized is result.signal_energy is None
    clean = truncate_features(z, labels, weight, bias, labels)
    assert clean.refit.memorized is clean.refit.noise_directions is clean.noise_energy is None
    assert clean.signal_energy is not None


def test_directions_are_chosen_by_noisy_labels_held_out():
    z, labels, _, _, true = features(7, n=600)
    fitted = np.linalg.lstsq(np.c_[z, np.ones(600)][:300], np.eye(4)[labels[:300]])[0]
    weight, bias = fitted[:-1], fitted[-1]
    fold = {"labels": labels[:300], "weight": weight, "bias": bias}
    rule = truncate_features(z[:300], **fold)
    assert (rule.chosen, rule.chosen_by) == (8, "twice the classes")
    held_out, test = Samples(z[300:], labels[300:]), Samples(z[:300], true[:300])
    chosen = truncate_features(z[:300], **fold, test=test, held_out=held_out)
    assert chosen.chosen_by == "held-out noisy labels"
    accuracies = []
    for d in chosen.directions:
        head = truncate_head(z[:300], weight, bias, int(d))
        found = (z[300:] @ head.weight + head.bias).argmax(1)
        accuracies.append(np.mean(found == labels[300:]))
    assert chosen.chosen == chosen.directions[np.argmax(accuracies)]
    assert np.ptp(accuracies) > 0.05
    np.testing.assert_allclose(
        chosen.weight, truncate_head(z[:300], weight, bias, chosen.chosen).weight
    )


def test_wrong_labels():
    true = np.arange(1000) % 5
    symmetric = wrong_labels(true, 5, 0.4, "symmetric", 1)
    wrong = symmetric != true
    assert wrong.sum() == 400
    counts = np.bincount((symmetric - true)[wrong] % 5, minlength=5)
    assert counts[0] == 0
    assert counts[1:].min() > 70
    pair = wrong_labels(true, 5, 0.4, "pair", 1)
    np.testing.assert_array_equal(pair[pair != true], (true[pair != true] + 1) % 5)
    assert (pair != true).sum() == 400
    np.testing.assert_array_equal(wrong_labels(true, 5, 0.0, "pair", 1), true)


def check_headline(result):
    head, refit, kept = result.trained.head, result.trained.refit, result.trained.directions
    assert result.train_accuracy[-1] > 0.995
    few = kept <= 24
    best = head.test_accuracy[few].argmax()
    assert head.test_accuracy[best] > head.test_accuracy[-1] + 0.1
    assert head.memorized[best] < 0.2
    assert refit.test_accuracy[few].max() > head.test_accuracy[-1] + 0.15
    return head, refit, kept


def test_truncation_drops_memorized_errors():
    result = train_on_noisy_labels(*digits(0), hidden=(256,), num_steps=3000, batch=128)
    head, _, kept = check_headline(result)
    assert head.memorized[kept >= 128].min() > 0.95
    # Without its clean labels the head is cut to 20 directions, and is the better for it.
    chosen = np.searchsorted(kept, result.trained.chosen)
    assert head.test_accuracy[chosen] > head.test_accuracy[-1] + 0.05


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5))
def test_headline_and_controls(seed):
    result = train_on_noisy_labels(*digits(seed), seed=seed)
    head, refit, kept = check_headline(result)
    assert refit.test_accuracy[kept <= 24].max() > head.test_accuracy[-1] + 0.18
    assert head.memorized[kept >= 64].min() >= 0.99
    # What does not hold: that truncation does better than stopping early, or than no training.
    assert head.test_accuracy.max() < result.best_early_stop
    untrained = result.untrained.refit
    assert untrained.test_accuracy.max() > refit.test_accuracy.max() - 0.005
    # What training does: it packs the errors into few directions.
    assert head.noise_directions < 64
    assert refit.noise_directions <= 64 < 256 < untrained.noise_directions


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5))
def test_clean_labels_lose_nothing_and_systematic_errors_stay(seed):
    clean = train_on_noisy_labels(*digits(seed), noise=0.0, seed=seed)
    head, kept = clean.trained.head, clean.trained.directions
    assert head.memorized is None
    assert head.test_accuracy[kept >= 16].min() > head.test_accuracy[-1] - 0.01
    symmetric = train_on_noisy_labels(*digits(seed), seed=seed)
    assert clean.trained.effective_rank < 25 < 40 < symmetric.trained.effective_rank
    pair = train_on_noisy_labels(*digits(seed), kind="pair", seed=seed)
    gains, memorized = [], []
    for result in (symmetric, pair):
        head = result.trained.head
        best = head.test_accuracy.argmax()
        gains.append(head.test_accuracy[best] - head.test_accuracy[-1])
        memorized.append(head.memorized[best])
    assert gains[1] < 0.8 * gains[0]
    assert memorized[0] < 0.25 < 0.5 < memorized[1]


def test_a_resumed_training_is_the_same():
    arguments = (*digits(1, 200), 0.4, "symmetric", (16,), 350)
    states = [state for _, state in train_on_noisy_labels_steps(*arguments)]
    resumed = drain(train_on_noisy_labels_steps(*arguments, state=states[1]))
    whole = train_on_noisy_labels(*arguments)
    np.testing.assert_array_equal(resumed.trained.weight, whole.trained.weight)
    np.testing.assert_array_equal(resumed.test_accuracy, whole.test_accuracy)
    assert whole.steps.tolist() == [100, 200, 300, 350]


Z, LABELS, WEIGHT, BIAS, TRUE = features(8, n=20)


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (
            lambda: truncate_features(Z, LABELS + 1, WEIGHT, BIAS),
            r"`labels` must be in 0..3, the head's classes, but holds 4",
        ),
        (
            lambda: truncate_features(Z, LABELS, WEIGHT, BIAS, -TRUE),
            r"`true_labels` must be in 0..3, the head's classes, but holds -",
        ),
        (
            lambda: truncate_features(Z, LABELS, WEIGHT, BIAS, test=Samples(Z, TRUE + 9)),
            r"`test.labels` must be in 0..3",
        ),
        (
            lambda: truncate_features(Z, LABELS, WEIGHT[1:], BIAS),
            "`weight` must have 12 entries along axis 0 .width., as `features` has",
        ),
        (
            lambda: truncate_features(Z, LABELS, WEIGHT, BIAS, test=Samples(Z[:, 1:], TRUE)),
            "`test.features` must have 12 entries along axis 1 .width.",
        ),
        (
            lambda: truncate_features(Z, LABELS, WEIGHT, BIAS, directions=(3, 13)),
            r"`directions` must be in 1..12, the features' dimensions, but holds 13",
        ),
        (lambda: truncate_head(Z, WEIGHT, BIAS, 13), r"`directions` must be in 1..12"),
        (lambda: truncate_head(0 * Z + 3, WEIGHT, BIAS, 2), r"must vary, .* \(zero variance\)"),
        (lambda: truncate_head(Z * np.nan, WEIGHT, BIAS, 2), "`features` must be finite"),
        (lambda: truncate_head(Z[:1], WEIGHT, BIAS, 2), "`features` must have at least 2 entries"),
        (
            lambda: train_on_noisy_labels(Z, 0 * TRUE, Z, 0 * TRUE),
            r"`labels` must be 2 to 1000 classes 0..K-1, but run from 0 to 0",
        ),
        (
            lambda: train_on_noisy_labels(
                1e3 * Z, TRUE, Z, TRUE, hidden=(8, 8), num_steps=100, learning_rate=10.0
            ),
            "`learning_rate` must be small enough for training to converge, but the network div",
        ),
    ],
)
def test_refusals(call, sentence):
    with pytest.raises(InputError, match=sentence):
        call()


def test_work_beyond_the_limit_is_refused():
    arguments = {"inputs": np.ones((2000, 64)), "labels": np.arange(2000) % 2}
    arguments |= {"test_inputs": np.ones((1, 64)), "test_labels": [0]}
    with pytest.raises(InputError, match="takes at most 2e\\+13 multiplications in one call"):
        KERNEL.operation("train-on-noisy-labels").run(
            arguments | {"num_steps": 50_000, "batch": 1024}
        )
