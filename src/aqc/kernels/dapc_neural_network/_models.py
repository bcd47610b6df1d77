"""The networks that are fitted: layers of data-driven polynomials, and the usual dense layers."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal, NamedTuple, Protocol

import jax
import jax.numpy as jnp
import numpy as np

from aqc.kernels.dapc_neural_network._basis import (
    build_basis,
    count_terms,
    evaluate_basis,
    gram_error,
    multi_indices,
    products,
)

Activation = Literal["tanh", "identity"]
Basis = Literal["product", "gram"]


class Model(Protocol):
    """What can be fitted: hashable, for it is a static argument of the compiled residuals."""

    @property
    def shapes(self) -> tuple[tuple[int, int], ...]:
        """Of the weight matrices, (fan-in, nodes)."""

    @property
    def name(self) -> str:
        """With its nodes or degrees."""

    def forward(self, weights: jax.Array, x: jax.Array) -> jax.Array:
        """Return the outputs at the training points, shape (N, m)."""

    def predict_at(self, weights: np.ndarray, x: np.ndarray, query: np.ndarray) -> np.ndarray:
        """Return the outputs at other points of a network that was fitted at x."""


def split(flat: Any, shapes: tuple[tuple[int, int], ...]) -> Iterator[Any]:
    """Cut a vector into the weight matrices of a model."""
    begin = 0
    for rows, columns in shapes:
        yield flat[begin : begin + rows * columns].reshape(rows, columns)
        begin += rows * columns


def count_weights(model: Model) -> int:
    """Return how many weights a model has."""
    return sum(rows * columns for rows, columns in model.shapes)


def draw_weights(model: Model, rng: np.random.Generator) -> np.ndarray:
    """Draw starting weights of variance 1 / fan-in."""
    parts = [rng.normal(size=shape).ravel() / np.sqrt(shape[0]) for shape in model.shapes]
    return np.concatenate(parts)


class DenseNet(NamedTuple):
    """Layers tanh(W [1, x]), the last without tanh."""

    widths: tuple[int, ...]

    @property
    def shapes(self) -> tuple[tuple[int, int], ...]:
        """See `Model`."""
        return tuple((fan_in + 1, fan_out) for fan_in, fan_out in pairwise(self.widths))

    @property
    def name(self) -> str:
        """See `Model`."""
        return "tanh network " + "-".join(map(str, self.widths[1:-1]))

    def forward(self, weights: jax.Array, x: jax.Array) -> jax.Array:
        """See `Model`."""
        return self._outputs(weights, x, jnp)

    def predict_at(self, weights: np.ndarray, x: np.ndarray, query: np.ndarray) -> np.ndarray:
        """See `Model`."""
        outputs: np.ndarray = self._outputs(weights, query, np)
        return outputs

    def _outputs(self, weights: Any, signal: Any, module: Any) -> Any:
        for i, w in enumerate(split(weights, self.shapes)):
            signal = module.tanh(signal) if i else signal
            signal = signal @ w[1:] + w[0]
        return signal


@dataclass(frozen=True)
class Layer:
    """One fitted layer.

    Args:
        a: Recurrence of each of its inputs, shape (d, n).
        b: The same, shape (d, n).
        indices: Multi-indices, shape (M, n).
        weights: Of the products of orthonormal polynomials, shape (M, nodes).
        gram_error: max |Psi^T Psi / N - 1| over the training points, for the basis that was used.
    """

    a: np.ndarray
    b: np.ndarray
    indices: np.ndarray
    weights: np.ndarray
    gram_error: float


class PolynomialNet(NamedTuple):
    """Layers of polynomials that are orthonormal under the training signals.

    Args:
        widths: Inputs, hidden nodes, outputs.
        degrees: Of each layer.
        activation: Of the hidden nodes.
        basis: Products of polynomials, or these made orthonormal by their Gram matrix.
        differentiate_basis: Whether the basis is differentiated, or held fixed in a derivative.
    """

    widths: tuple[int, ...]
    degrees: tuple[int, ...]
    activation: Activation = "tanh"
    basis: Basis = "product"
    differentiate_basis: bool = True

    @property
    def shapes(self) -> tuple[tuple[int, int], ...]:
        """See `Model`."""
        return tuple(
            (count_terms(inputs, degree), nodes)
            for (inputs, nodes), degree in zip(pairwise(self.widths), self.degrees, strict=True)
        )

    @property
    def name(self) -> str:
        """See `Model`."""
        hidden = "-".join(map(str, self.widths[1:-1]))
        degrees = ", ".join(map(str, self.degrees))
        return f"polynomial network {hidden} ({degrees})".replace("  ", " ")

    def forward(self, weights: jax.Array, x: jax.Array) -> jax.Array:
        """See `Model`."""
        signal: Any = x
        for i, w in enumerate(split(weights, self.shapes)):
            signal = self.activate(signal, jnp) if i else signal
            signal = self._psi(signal, self.degrees[i]) @ w
        return signal

    def _psi(self, z: jax.Array, degree: int) -> Any:
        frozen = z if self.differentiate_basis else jax.lax.stop_gradient(z)
        polynomials, a, b = build_basis(frozen, degree, jnp)
        indices = multi_indices(z.shape[1], degree)
        psi = products(polynomials, indices)
        root = jnp.linalg.cholesky(psi.T @ psi / len(z)) if self.basis == "gram" else None
        if not self.differentiate_basis:
            # The polynomials are those of the frozen signals, their arguments are not.
            psi = products(evaluate_basis(z, a, b, jnp), indices)
        if root is not None:
            psi = jax.scipy.linalg.solve_triangular(root, psi.T, lower=True).T
        return psi

    def activate(self, signal: Any, module: Any) -> Any:
        """Return what hidden nodes hand on."""
        return module.tanh(signal) if self.activation == "tanh" else signal

    def layers(self, weights: np.ndarray, x: np.ndarray) -> tuple[tuple[Layer, ...], np.ndarray]:
        """Return the layers, their bases frozen at the training points, and the first's weights.

        Args:
            weights: Of all layers.
            x: Training points.

        Returns:
            The layers, and the weights of the first for the basis that was used.
        """
        found, signal = [], x
        parts = list(split(weights, self.shapes))
        for i, (w, degree) in enumerate(zip(parts, self.degrees, strict=True)):
            signal = self.activate(signal, np) if i else signal
            polynomials, a, b = build_basis(signal, degree)
            indices = multi_indices(signal.shape[1], degree)
            psi, of_products = products(polynomials, indices), w
            used = psi
            if self.basis == "gram":
                root = np.linalg.cholesky(psi.T @ psi / len(psi))
                of_products = np.linalg.solve(root.T, w)
                used = np.linalg.solve(root, psi.T).T
            found.append(Layer(a, b, indices, of_products, gram_error(used)))
            signal = used @ w
        return tuple(found), parts[0]

    def predict(self, layers: tuple[Layer, ...], x: np.ndarray) -> np.ndarray:
        """Return the outputs of frozen layers at any points, shape (Q, m)."""
        signal = x
        for i, layer in enumerate(layers):
            signal = self.activate(signal, np) if i else signal
            psi = products(evaluate_basis(signal, layer.a, layer.b), layer.indices)
            signal = psi @ layer.weights
        return signal

    def predict_at(self, weights: np.ndarray, x: np.ndarray, query: np.ndarray) -> np.ndarray:
        """See `Model`."""
        return self.predict(self.layers(weights, x)[0], query)
