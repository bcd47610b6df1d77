"""Each shape is compiled once, whoever asks and from whichever thread."""

from concurrent.futures import ThreadPoolExecutor

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from aqc.executables import compiled


def test_shapes_types_and_options_are_told_apart():
    traced = []

    def power(x, *, exponent):
        traced.append((x.shape, exponent))
        return x**exponent

    function = jax.jit(power, static_argnames="exponent")
    square = compiled(function, jnp.ones(2), exponent=2)
    assert square is compiled(function, jnp.zeros(2), exponent=2)
    assert compiled(function, jnp.ones(2), exponent=3) is not square
    assert compiled(function, jnp.ones(3), exponent=2) is not square
    assert traced == [((2,), 2), ((2,), 3), ((3,), 2)]
    assert square(jnp.array([3.0, 4.0])).tolist() == [9.0, 16.0]


def test_threads_that_ask_together_wait_for_one_compilation():
    traced = []
    function = jax.jit(lambda x: traced.append(1) or jnp.sin(x) + x)
    with ThreadPoolExecutor(8) as pool:
        runs = list(pool.map(lambda _: compiled(function, jnp.ones(5)), range(8)))
    assert len(traced) == 1
    assert all(run is runs[0] for run in runs)


def test_a_failure_is_told_and_not_kept():
    attempts = []

    def fragile(x):
        attempts.append(1)
        if len(attempts) == 1:
            raise ValueError("the first time")
        return x

    function = jax.jit(fragile)
    with pytest.raises(ValueError, match="the first time"):
        compiled(function, jnp.ones(2))
    assert compiled(function, jnp.ones(2))(jnp.ones(2)).tolist() == [1.0, 1.0]


def test_quick_code_computes_the_same():
    function = jax.jit(lambda x: jnp.cumsum(jnp.exp(x) * x))
    x = jnp.linspace(-1, 1, 7)
    quick, slow = (compiled(function, x, quick=choice) for choice in (True, False))
    assert quick is not slow
    assert np.asarray(quick(x)) == pytest.approx(np.asarray(slow(x)), rel=1e-5)
