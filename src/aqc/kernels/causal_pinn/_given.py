"""The same training for a right-hand side that is the caller's own function."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import jax

from aqc.kernels._kernel import drain
from aqc.kernels._signature import Signature
from aqc.kernels.causal_pinn._solve import Solution, solve_causally, solve_causally_steps
from aqc.kernels.causal_pinn._systems import Given


def solve_rate_causally(
    rate: Callable[[jax.Array], jax.Array], u0: Any, t_final: float, **options: Any
) -> Solution:
    """Train a network to solve u' = f(u) for a function f, as `solve_causally` does for terms.

    In Python alone: over HTTP and on the command line no code is taken.

    Args:
        rate: f, of a state (d,), made of JAX operations; where it depends on time, let time be a
            component whose rate is 1.
        u0: u(0), (d,).
        t_final: T.
        options: All others of `solve_causally`, checked by the same sentences.

    Returns:
        The solution, its residuals, and the least weights as a certificate.

    Raises:
        InputError: `rate` is no function or returns another shape, or an option is refused.

    Source:
        arXiv:2203.07404.

    Example:
        >>> small = {"iterations": 500, "eps": [1.0], "width": 8, "n_t": 16}
        >>> found = solve_rate_causally(lambda u: -u / (1 + u**2), [1.0], 0.5, **small)
        >>> found.u.shape[1]
        1
    """
    whole: Signature = solve_causally.signature  # type: ignore[attr-defined]
    rest = {name: kind for name, kind in whole.types.items() if name != "system"}
    given = replace(whole, types=rest).check({"u0": u0, "t_final": t_final, **options})
    found: Solution = drain(solve_causally_steps(Given(rate), **given))
    return found
