"""Orthogonal convolutions: against matrices written out, and existence by trying to fit."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import minimize

from aqc.errors import InputError
from aqc.kernels._kernel import drain
from aqc.kernels.orthogonal_conv import (
    KERNEL,
    analyze_kernel,
    analyze_padding,
    check_existence,
    conv_singular_values,
    fit_orthogonal_kernel,
    fit_orthogonal_kernel_steps,
    lorth,
)

# M, C, k, S, N: both cases, the square one, strides, an even k
CONFIGURATIONS = [
    (4, 3, 3, 1, 6),
    (2, 3, 3, 2, 4),
    (20, 1, 3, 2, 4),
    (5, 2, 2, 1, 5),
    (8, 2, 5, 2, 6),
]


def circular_matrix(kernel: np.ndarray, stride: int, n: int) -> np.ndarray:
    """Written out tap by tap."""
    m, c, k, _ = kernel.shape
    size = stride * n
    matrix = np.zeros((m, n, n, c, size, size))
    for i, j, p, q in np.ndindex(n, n, k, k):
        matrix[:, i, j, :, (stride * i + p) % size, (stride * j + q) % size] += kernel[:, :, p, q]
    return matrix.reshape(m * n * n, c * size * size)


def padded_matrix(kernel: jax.Array, stride: int, size: int, padding: str) -> jax.Array:
    """The responses to all images of one pixel, by JAX's own padding."""
    c = kernel.shape[1]
    pixels = jnp.eye(c * size * size, dtype=kernel.dtype).reshape(-1, c, size, size)
    responses = jax.lax.conv_general_dilated(pixels, kernel, (stride, stride), padding.upper())
    return responses.reshape(len(pixels), -1).T


def defect(matrix: np.ndarray) -> np.ndarray:
    short = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
    return short @ short.T - np.eye(len(short))


@pytest.mark.parametrize(("m", "c", "k", "s", "n"), CONFIGURATIONS)
def test_errors_of_the_matrix_written_out(m, c, k, s, n):
    kernel = np.random.default_rng(1).normal(size=(m, c, k, k)) / k
    result = analyze_kernel(kernel, s, (n,))
    matrix = circular_matrix(kernel, s, n)
    frobenius = np.linalg.norm(defect(matrix))
    assert result.penalty > 0.1
    # Theorem: the penalty knows the error at every size.
    np.testing.assert_allclose(n**2 * result.penalty, frobenius**2, rtol=1e-12)
    np.testing.assert_allclose(result.frobenius_error, frobenius, rtol=1e-12)
    np.testing.assert_allclose(result.spectral_error, np.linalg.norm(defect(matrix), 2), rtol=1e-12)
    assert result.spectral_error[0] < result.spectral_bound
    exact = np.linalg.svd(matrix, compute_uv=False)
    np.testing.assert_allclose(conv_singular_values(kernel, s, n), exact, atol=1e-12)
    np.testing.assert_allclose([result.smallest[0], result.largest[0]], exact[[-1, 0]], atol=1e-12)


def test_singular_values_when_taps_wrap_around():
    kernel = np.random.default_rng(2).normal(size=(2, 2, 5, 5))
    exact = np.linalg.svd(circular_matrix(kernel, 1, 3), compute_uv=False)
    np.testing.assert_allclose(conv_singular_values(kernel, 1, 3), exact, atol=1e-12)


def test_gradient_by_central_differences():
    rng = np.random.default_rng(3)
    kernel, direction = rng.normal(size=(2, 3, 2, 3, 3))
    gradient = analyze_kernel(kernel, 1, (8,)).gradient
    step = 1e-5
    with jax.enable_x64(True):
        ends = [float(lorth(jnp.asarray(kernel + s * step * direction))) for s in (1, -1)]
    slope = (ends[0] - ends[1]) / (2 * step)
    np.testing.assert_allclose(np.sum(gradient * direction), slope, rtol=1e-7)


@pytest.mark.parametrize(
    "architecture",
    [(4, 3, 3, 1), (9, 1, 3, 4), (20, 1, 4, 4), (16, 4, 3, 2), (17, 4, 3, 2), (6, 8, 3, 1)],
)
def test_orthogonal_kernels_are_found_where_they_exist(architecture):
    assert check_existence(*architecture).exists
    fit = fit_orthogonal_kernel(*architecture)
    assert fit.converged
    # L_orth < 1e-6 bounds the spectral error by 0.013 at worst here.
    assert 0.999 < fit.smallest <= fit.largest < 1.001
    other_size = analyze_kernel(fit.kernel, architecture[3], (11,))
    assert other_size.spectral_error[0] < 2e-3


@pytest.mark.parametrize(
    ("architecture", "floor"),
    [
        ((10, 1, 3, 4), 1),
        ((12, 1, 3, 4), 3),
        ((16, 1, 3, 4), 7),
        ((5, 1, 2, 3), 1),
        ((20, 1, 3, 4), 7),
    ],
)
def test_the_fit_ends_on_the_floor_where_none_exists(architecture, floor):
    assert not check_existence(*architecture).exists
    fit = fit_orthogonal_kernel(*architecture, force=True, restarts=2)
    assert fit.floor == floor
    np.testing.assert_allclose(fit.penalties, floor, atol=1e-6)
    assert not fit.converged
    assert fit.smallest < 1e-12


def test_a_small_penalty_serves_every_size():
    rng = np.random.default_rng(4)
    orthogonal = fit_orthogonal_kernel(6, 8, 3).kernel
    noisy = orthogonal + 1e-3 * rng.normal(size=orthogonal.shape)
    result = analyze_kernel(noisy, 1, (8, 16, 32, 64, 128))
    np.testing.assert_allclose(
        result.frobenius_error / result.sizes, np.sqrt(result.penalty), rtol=1e-12
    )
    assert np.ptp(result.spectral_error) < 0.01 * result.spectral_error[0]
    assert 0.01 < result.spectral_error.max() < result.spectral_bound < 0.5
    # While the Frobenius error of the same layer grows sixteenfold.
    assert result.frobenius_error[-1] > 15.9 * result.frobenius_error[0]


def test_the_penalty_of_the_flattened_kernel_is_another_one():
    # Orthonormal rows of taps: what one may take for an orthogonal convolution.
    rows = np.linalg.qr(np.random.default_rng(5).normal(size=(27, 4)))[0].T
    result = analyze_kernel(rows.reshape(4, 3, 3, 3), 1, (8,))
    assert result.spectral_error[0] > 0.5


@pytest.mark.slow
def test_the_square_case_has_local_minima():
    square = fit_orthogonal_kernel(8, 8, 3, restarts=20)
    assert np.sum(square.penalties > 0.05) >= 5
    for architecture in ((6, 8, 3), (8, 6, 3)):
        assert fit_orthogonal_kernel(*architecture, restarts=20).penalties.max() < 1e-6


@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize(("m", "c", "k", "s", "n"), CONFIGURATIONS[:3])
def test_padded_matrices(m, c, k, s, n, padding):
    kernel = np.random.default_rng(6).normal(size=(m, c, k, k)) / k
    result = analyze_padding(kernel, n, padding, s)
    with jax.enable_x64(True):
        matrix = np.asarray(padded_matrix(jnp.asarray(kernel), s, s * n, padding))
    assert result.shape == matrix.shape
    side = matrix if m <= c * s**2 else matrix.T
    exact = side @ side.T - np.eye(len(side))
    np.testing.assert_allclose(result.frobenius_error, np.linalg.norm(exact), rtol=1e-12)
    np.testing.assert_allclose(result.spectral_error, np.linalg.norm(exact, 2), rtol=1e-12)


@pytest.mark.parametrize("s", [1, 2])
def test_zero_padding_leaves_maps_of_separate_patches(s):
    rng = np.random.default_rng(7)
    patches = np.linalg.qr(rng.normal(size=(4 * s * s, 3)))[0].T.reshape(3, 4, s, s)
    low = (5 - s) // 2
    kernel = np.zeros((3, 4, 5, 5))
    kernel[:, :, low : low + s, low : low + s] = patches
    assert analyze_padding(kernel, 6, "same", s).frobenius_error < 1e-13
    assert check_existence(3, 4, 5, s, "same").exists
    # An orthogonal circular kernel of the same shape is none with zeros around the image.
    circular = fit_orthogonal_kernel(3, 4, 5, s, restarts=1).kernel
    assert analyze_padding(circular, 6, "same", s).spectral_error > 0.5


def smallest_defect(m, c, k, s, n, padding):
    """Least Frobenius error over kernels from ten starts, and the kernel."""

    def error(flat):
        matrix = padded_matrix(flat.reshape(m, c, k, k), s, s * n, padding)
        side = matrix if m <= c * s**2 else matrix.T
        return jnp.sum((side @ side.T - jnp.eye(len(side))) ** 2)

    rng = np.random.default_rng(8)
    with jax.enable_x64(True):
        slope = jax.jit(jax.value_and_grad(error))
        found = [
            minimize(lambda x: tuple(map(np.asarray, slope(x))), x, jac=True, tol=1e-9)
            for x in rng.normal(size=(10, m * c * k * k)) / k
        ]
    best = min(found, key=lambda x: x.fun)
    return best.fun, best.x.reshape(m, c, k, k)


def test_verdicts_on_padding_by_minimizing():
    error, kernel = smallest_defect(2, 2, 3, 1, 5, "same")
    assert error < 1e-10
    kernel[:, :, 1, 1] = 0
    assert np.abs(kernel).max() < 1e-4
    assert not check_existence(3, 1, 2, 1, "valid").exists
    assert smallest_defect(3, 1, 2, 1, 4, "valid")[0] > 0.1
    assert check_existence(2, 3, 2, 1, "valid").exists
    assert smallest_defect(2, 3, 2, 1, 4, "valid")[0] < 1e-10
    assert check_existence(5, 1, 2, 2, "valid").exists
    assert smallest_defect(5, 1, 2, 2, 3, "valid")[0] < 1e-10


def test_a_resumed_fit_is_the_same_fit():
    arguments = {
        "out_channels": 8,
        "in_channels": 8,
        "kernel_size": 3,
        "restarts": 2,
        "max_iter": 250,
    }
    whole = fit_orthogonal_kernel(**arguments)
    states = [state for _, state in fit_orthogonal_kernel_steps(**arguments)]
    assert len(states) >= 4
    fit = drain(fit_orthogonal_kernel_steps(**arguments, state=states[1]))
    np.testing.assert_array_equal(fit.kernel, whole.kernel)
    np.testing.assert_array_equal(fit.penalties, whole.penalties)


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (
            lambda: analyze_kernel(np.ones((2, 2, 3, 2))),
            r"`kernel` must have 3 entries along axis 3",
        ),
        (lambda: analyze_kernel(np.ones((2, 3, 3))), r"`kernel` must have 4 axes \(m, c, k, k\)"),
        (lambda: analyze_kernel(np.full((1, 1, 1, 1), np.nan)), "`kernel` must be finite"),
        (lambda: analyze_kernel(np.ones((1, 1, 3, 3)), 0), "`stride` must be at least 1"),
        (
            lambda: analyze_kernel(np.ones((1, 1, 5, 5)), 2, (8, 4)),
            r"`sizes\[1\]` must be at least 5, so that the input image is 2 k - 1 = 9 wide, but",
        ),
        (
            lambda: analyze_kernel(np.ones((128, 128, 4, 4))),
            "at most 200000 weights, but this one has",
        ),
        (
            lambda: analyze_kernel(np.ones((64, 64, 1, 1)), 1, (128,)),
            r"`sizes` must keep the sum of N\^2 M C S\^2 at most 40000000, but it is 67108864",
        ),
        (
            lambda: fit_orthogonal_kernel(12, 1, 3, 4),
            r"No orthogonal convolution exists: M = 12 rows are more than the C k\^2 = 9 taps",
        ),
        (
            lambda: fit_orthogonal_kernel(20, 1, 3, 4),
            "stride S = 4 > k = 3 some pixels are read by no",
        ),
        (lambda: fit_orthogonal_kernel(128, 128, 11), "at most 200000 weights"),
        (lambda: analyze_padding(np.ones((1, 1, 5, 5)), 2, "valid", 2), "`n` must be at least 3"),
        (
            lambda: analyze_padding(np.ones((4, 4, 3, 3)), 40),
            "`n` must leave the matrix at most 4000000",
        ),
    ],
)
def test_refusals(call, sentence):
    with pytest.raises(InputError, match=sentence):
        call()


def test_work_beyond_the_limit_is_refused():
    fit = KERNEL.operation("fit-orthogonal-kernel")
    arguments = {"out_channels": 100, "in_channels": 100, "kernel_size": 4, "max_iter": 5000}
    with pytest.raises(InputError, match="takes at most 1e\\+12 multiplications in one call"):
        fit.run(arguments)
