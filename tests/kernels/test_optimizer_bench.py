"""The bench of the optimizers: same problem for all, same answer when resumed, honest scores."""

import dataclasses
from typing import Any

import jax
import numpy as np
import optax
import pytest

from aqc.kernels._bench import (
    BASELINES,
    BenchResult,
    Contender,
    _make_problem,
    bench_steps,
    draw_bench,
)
from aqc.kernels._kernel import Steps, drain


def build_sgd(rate: Any) -> optax.GradientTransformation:
    return optax.sgd(rate)


SGD = Contender("sgd", build_sgd)
RATES = np.array([0.3, 0.1, 1.0])


def test_training_agrees_with_a_loop_in_numpy() -> None:
    steps, rate = 4, 0.5
    problem = _make_problem(0, steps, 0.01, 5.0)
    x, y = np.asarray(problem.points, float), problem.labels
    weights = [np.asarray(w, float) for w in problem.start]
    assert problem.outliers is not None

    def forward(rows: Any) -> tuple[list[np.ndarray], np.ndarray]:
        layers = [x[rows]]
        for w in weights[:-1]:
            layers.append(np.maximum(layers[-1] @ w, 0))
        z = layers[-1] @ weights[-1]
        z = z - z.max(1, keepdims=True)
        return layers, np.exp(z) / np.exp(z).sum(1, keepdims=True)

    for t in range(steps):
        rows = problem.rows[t]
        layers, p = forward(rows)
        back = (p - np.eye(10)[y[rows]]) / len(rows)
        gradient: list[np.ndarray] = []
        for k in (2, 1, 0):
            gradient.insert(0, layers[k].T @ back)
            back = (back @ weights[k].T) * (layers[k] > 0)
        for k, g in enumerate(gradient):
            noisy = g + problem.outliers[k][t] * g.std()
            weights[k] = weights[k] - rate * (1 - t / steps) * noisy
    probabilities = forward(slice(None))[1]
    expected = -np.log(probabilities[np.arange(len(y)), y]).mean()
    result = drain(
        bench_steps(
            (SGD,),
            np.array([rate]),
            steps=steps,
            seeds=1,
            outlier_probability=0.01,
            outlier_amplitude=5.0,
        )
    )
    assert result.scores[0].losses[0, 0] == pytest.approx(expected, rel=1e-5)


def test_outliers_are_as_frequent_and_as_large_as_asked() -> None:
    outliers = np.concatenate(
        [x.ravel() for x in _make_problem(0, 50, 0.02, 30.0).outliers or [np.zeros(0)]]
    )
    hits = outliers[outliers != 0]
    # 50 x 6784 entries: standard errors are 2.4e-4 and 0.26.
    assert len(hits) / len(outliers) == pytest.approx(0.02, abs=1e-3)
    assert hits.std() == pytest.approx(30, abs=1.0)


def test_a_resumed_bench_gives_the_same_answer() -> None:
    momentum = BASELINES["normalized_momentum"]

    def run(state: Any = None) -> Steps:
        return bench_steps(
            (SGD, momentum),
            RATES,
            steps=3,
            seeds=2,
            outlier_probability=0.01,
            outlier_amplitude=10.0,
            state=state,
        )

    whole = dataclasses.asdict(drain(run()))
    steps = run()
    for done in (0.25, 0.5, 0.75):
        fraction, state = next(steps)
        assert fraction == done
        kept = [np.array(x) for x in state]
        np.testing.assert_equal(dataclasses.asdict(drain(run(kept))), whole)


def test_the_answer_does_not_depend_on_the_process_precision() -> None:
    def losses() -> np.ndarray:
        return drain(bench_steps((SGD,), RATES, steps=3, seeds=1)).scores[0].losses

    with jax.enable_x64(True):
        double = losses()
    np.testing.assert_array_equal(double, losses())


def test_scores_name_the_best_rate_and_whether_it_is_at_the_edge() -> None:
    result: BenchResult = drain(bench_steps((SGD,), RATES, steps=30, seeds=2))
    score = result.best("sgd")
    means = score.losses.mean(0)
    assert means[0] < min(means[1:])  # not trivial: 0.3, which stands first, is best
    assert score.best_learning_rate == 0.3
    assert not score.best_is_at_edge
    assert score.best_loss == pytest.approx(means[0])
    assert score.best_loss_std == pytest.approx(abs(np.diff(score.losses[:, 0])[0]) / 2**0.5)
    assert [x.get_text() for x in draw_bench(result).axes[0].get_legend().get_texts()] == ["sgd"]
    edge = drain(bench_steps((SGD,), RATES[:2], steps=30, seeds=1))
    assert edge.best("sgd").best_is_at_edge
