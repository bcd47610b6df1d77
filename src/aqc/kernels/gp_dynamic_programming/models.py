"""Parametric models of next year's stock: Ricker, Allen (with a tipping point) and Myers."""

from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from annotated_types import Gt, Le
from jaxtyping import Float
from scipy.optimize import minimize

from aqc.errors import InputError

Name = Literal["ricker", "allen", "myers"]
_NAMES: tuple[Name, ...] = ("ricker", "allen", "myers")
# Starting values (r, K, ...); K is multiplied by the largest stock.
_STARTS = {
    "ricker": ((1.0, 0.8), (0.3, 0.5)),
    "allen": ((1.0, 0.8, 0.3), (2.0, 0.8, 0.5), (0.5, 0.9, 0.1), (3.0, 0.8, 0.7)),
    "myers": ((1.5, 1.0, 0.8), (1.0, 2.0, 0.5), (1.0, 4.0, 0.5)),
}
_LEAST_SIGMA = 1e-6


@dataclass(frozen=True)
class Series:
    """Stock in successive years, 8 to 500 of them, all positive."""

    stock: Float[np.ndarray, " years"]
    kind: Literal["series"] = "series"


@dataclass(frozen=True)
class Pairs:
    """Escapement x and next year's stock y, 8 to 500 pairs, all positive."""

    x: Float[np.ndarray, " pairs"]
    y: Float[np.ndarray, " pairs"]
    kind: Literal["pairs"] = "pairs"


@dataclass(frozen=True)
class Model:
    """y = f(x) e^(sigma z), z normal.

    Args:
        name: ricker: x exp(r (1 - x/K)); allen: x exp(r (1 - x/K) (x - C) / K), whose stock dies
            out below C; myers: r x^theta / (1 + x^theta / K).
        parameters: (r, K), (r, K, C) or (r, theta, K).
        sigma: Of the noise.
    """

    name: Name
    parameters: tuple[Annotated[float, Gt(0)], ...]
    sigma: Annotated[float, Gt(0), Le(2)]

    def check(self) -> None:
        """Refuse a wrong number of parameters.

        Raises:
            InputError: There are too few or too many.
        """
        want = len(_STARTS[self.name][0])
        if len(self.parameters) != want:
            raise InputError(
                f"`truth.parameters` must have {want} entries for {self.name}, but has "
                f"{len(self.parameters)}.",
                "/truth/parameters",
            )


@dataclass(frozen=True)
class Fit:
    """A model by maximum likelihood.

    Args:
        model: With the best parameters.
        log_likelihood: Of the pairs.
        aic: 2 k - 2 log likelihood; sigma counts as a parameter.
    """

    model: Model
    log_likelihood: float
    aic: float


def read_pairs(data: Series | Pairs) -> tuple[np.ndarray, np.ndarray]:
    """Return x and y.

    Raises:
        InputError: There are too few, they are not positive, or they do not vary.
    """
    if isinstance(data, Series):
        stock, field = data.stock, "data.stock"
        x, y, count = stock[:-1], stock[1:], len(data.stock)
    else:
        x, y, field, count = data.x, data.y, "data.x", len(data.x)
    pointer = "/" + field.replace(".", "/")
    if not 8 <= count <= 500:
        raise InputError(f"`{field}` must have 8 to 500 entries, but has {count}.", pointer)
    least = min(x.min(), y.min())
    if least <= 0:
        raise InputError(f"`{field}` must be positive, but the least stock is {least:g}.", pointer)
    if np.ptp(x) <= 1e-9 * x.max():
        raise InputError(
            f"`{field}` must vary (no contrast: the process is not identified), but is "
            f"{x[0]:g} throughout.",
            pointer,
        )
    return x, y


def growth(name: Name, parameters: tuple[float, ...], x: np.ndarray) -> np.ndarray:
    """Return f(x)."""
    if name == "ricker":
        r, capacity = parameters
        return x * np.exp(r * (1 - x / capacity))
    if name == "allen":
        r, capacity, threshold = parameters
        return x * np.exp(r * (1 - x / capacity) * (x - threshold) / capacity)
    r, theta, capacity = parameters
    return r * x**theta / (1 + x**theta / capacity)


def fit_all(x: np.ndarray, y: np.ndarray) -> tuple[Fit, ...]:
    """Return the maximum-likelihood fit of each model."""
    return tuple(_fit(name, x, y) for name in _NAMES)


def _fit(name: Name, x: np.ndarray, y: np.ndarray) -> Fit:
    scale = float(max(x.max(), y.max()))
    capacity = 2 if name == "myers" else 1

    def errors(logs: np.ndarray) -> np.ndarray:
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            return np.log(y) - np.log(growth(name, tuple(np.exp(logs)), x))

    def loss(logs: np.ndarray) -> float:
        # With sigma at its best the likelihood falls with the mean square error.
        square = float(np.mean(errors(logs) ** 2))
        return float(np.log(square + _LEAST_SIGMA**2)) if np.isfinite(square) else 1e6

    tries = []
    for start in _STARTS[name]:
        scaled = np.array(start)
        scaled[capacity] *= scale ** (scaled[1] if name == "myers" else 1)
        if name == "allen":
            scaled[2] *= scale
        tries.append(
            minimize(
                loss,
                np.log(scaled),
                method="Nelder-Mead",
                options={"maxiter": 2000, "maxfev": 2000, "xatol": 1e-6, "fatol": 1e-9},
            )
        )
    best = min(tries, key=lambda found: float(found.fun))
    sigma = max(float(np.sqrt(np.mean(errors(best.x) ** 2))), _LEAST_SIGMA)
    normal = -0.5 * (errors(best.x) / sigma) ** 2 - np.log(sigma * np.sqrt(2 * np.pi))
    likelihood = float((normal - np.log(y)).sum())
    parameters = tuple(float(p) for p in np.exp(best.x))
    return Fit(Model(name, parameters, sigma), likelihood, 2 * (len(parameters) + 1 - likelihood))
