"""The paper's flip cost: it follows the best of F_0 and the overlaps with one qubit flipped.

    C = 1 - (1 - w) F_0 - w max(F_0, F_1, ..., F_n),    F_j = |<target|V X_j|psi_0>|^2,

where another flip takes the lead only with 1.1 times the leader's F_j, w starts at 1, and after
every step w <- w + 0.1 (sqrt(C) - w). Leader and w are frozen inside a line search.

X_j is meant in the basis whose |0> is the qubit's own state, so that it is the paper's X_j on any
state of bits, up to a phase. All F_j come with one gradient: the overlap is linear in the first
block G on qubit j, so that with g = d(log F_0)/dG

    <target|V X_j|psi_0> / <target|V|psi_0> = tr(g^T G X_j) / 2,

and as logarithms they do not underflow at any length. Only a flip in the lead needs a second
contraction, for its own gradient.

A state that needs one flip is a local minimum of this cost while w > 1/2, and w settles at 0.618
there. What is not in the paper: where the cost stalls with a flip in the lead, or all evaluations
are used, that X_j is absorbed into the first block on qubit j. F_j then is F_0, exactly, and the
optimization goes on from there.
"""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from aqc import overlap
from aqc.ansatz import Ansatz
from aqc.blocks import BLOCKS
from aqc.executables import compiled
from aqc.objective import Evaluation
from aqc.points import exact_matrices, nearest_point

_LEAD = 1.1
_RATE = 0.1


class Flips(NamedTuple):
    """Where each qubit's flip meets its first block (arrays only).

    Attributes:
        block: Number of the first block on each qubit, shape (flips,).
        matrix: X on that qubit times 1 on the block's other one, shape (flips, 4, 4).
    """

    block: np.ndarray
    matrix: np.ndarray


class Overlaps(NamedTuple):
    """The overlap at one point, with every flip.

    Attributes:
        point: Point of the manifold.
        log_fidelity: log F_0.
        gradient: Derivative of log F_0 in local coordinates, shape (blocks, parameters).
        log_flipped: log F_j, shape (flips,).
        lost: The weight that the contraction's truncations lost.
    """

    point: Any
    log_fidelity: Any
    gradient: Any
    log_flipped: Any
    lost: Any


@partial(jax.jit, static_argnames="block")
def evaluate_flips(
    point: jax.Array,
    step: jax.Array,
    turns: jax.Array,
    flips: Flips,
    data: overlap.Data,
    *,
    block: str,
) -> Overlaps:
    """Move from a point along a step, and return the overlap with every flip there.

    Args:
        point: Point of the block manifold.
        step: Local coordinates of the move, shape (blocks, parameters), real.
        turns: What acts before each block, shape (blocks, 4, 4): identities, or a leader's flip.
        flips: From `first_flips`.
        data: From `overlap.prepare`.
        block: A key of `aqc.blocks.BLOCKS`.
    """
    manifold = BLOCKS[block]
    moved = manifold.retract(point, step)
    matrices, pull = jax.vjp(
        lambda x: manifold.linearize(moved, x), jnp.zeros(step.shape, jnp.float64)
    )
    (log_fidelity, lost), slope = jax.value_and_grad(
        lambda m: overlap.measure(m @ turns, data), has_aux=True
    )(matrices)
    flipped = matrices[flips.block] @ flips.matrix
    ratios = jnp.sum(slope[flips.block] * flipped, axis=(1, 2)) / 2
    log_flipped = log_fidelity + 2 * jnp.log(jnp.abs(ratios).astype(float))
    return Overlaps(moved, log_fidelity, pull(slope)[0], log_flipped, lost)


def first_flips(ansatz: Ansatz) -> Flips:
    """Return where the flips of all qubits that a block acts on meet it, left to right.

    Example:
        >>> chain = Ansatz(np.tile([1.0, 0.0], (3, 1)), 2, np.tile(np.eye(4), (2, 1, 1)))
        >>> first_flips(chain).block.tolist()
        [0, 0, 1]
    """
    found: dict[int, tuple[int, np.ndarray]] = {}
    pairs = [pair for layer in ansatz.pairs for pair in layer]
    for number, (a, b) in enumerate(pairs):
        found.setdefault(a, (number, np.kron(_flip(ansatz.state[a]), np.eye(2))))
        found.setdefault(b, (number, np.kron(np.eye(2), _flip(ansatz.state[b]))))
    numbers, matrices = zip(*(found[qubit] for qubit in sorted(found)), strict=True)
    return Flips(np.array(numbers), np.stack(matrices))


class FlipCost:
    """The cost at a point, and the schedule of its leader and weight.

    Args:
        ansatz: Where the blocks sit, and on which product state.
        data: From `overlap.prepare`.
        dtype: Of the blocks.
        escapes: Whether a flip in the lead is absorbed where the cost stalls.
        quick: Compile sooner what then runs slower.

    Attributes:
        leader: Number of the flip in the lead, -1 for F_0 itself.
        weight: w.
    """

    def __init__(
        self,
        ansatz: Ansatz,
        data: overlap.Data,
        dtype: np.dtype,
        *,
        escapes: bool = True,
        quick: bool = False,
    ):
        self.leader, self.weight = -1, 1.0
        self._escapes, self._block = escapes, ansatz.block
        flips = first_flips(ansatz)
        self._flips = Flips(flips.block, flips.matrix.astype(dtype))
        self._identities = np.tile(np.eye(4, dtype=dtype), (len(ansatz.blocks), 1, 1))
        self._still = np.zeros((len(ansatz.blocks), BLOCKS[ansatz.block].num_parameters))
        arguments = (
            nearest_point(ansatz.blocks, self._block).astype(dtype),
            self._still,
            self._identities,
            self._flips,
        )
        run = compiled(evaluate_flips, *arguments, data, quick=quick, block=ansatz.block)
        self._run = lambda *where: run(*where, self._flips, data)

    def __call__(self, point: Any, step: np.ndarray) -> Evaluation:
        """Return value and gradient after a step, for the leader and the weight as they are."""
        return self._cost(self._run(point, step, self._identities))

    def follow(self, evaluation: Evaluation) -> Evaluation:
        """Move leader and weight on after a step, and return its evaluation as they now see it."""
        here = evaluation.detail
        log_flipped = np.asarray(here.log_flipped)
        if not np.isfinite(log_flipped).all():
            log_flipped = self._near(here.point)
        now = float(here.log_fidelity) if self.leader < 0 else log_flipped[self.leader]
        rivals = np.append(log_flipped, float(here.log_fidelity))  # the last is number -1
        best = int(np.argmax(rivals))
        if rivals[best] > now + np.log(_LEAD):
            self.leader = best if best < len(log_flipped) else -1
        evaluation = self._cost(here)
        if np.isfinite(evaluation.value):
            self.weight += _RATE * (np.sqrt(max(evaluation.value, 0.0)) - self.weight)
            evaluation = self._cost(here)
        return evaluation

    def escape(self, point: np.ndarray) -> Evaluation | None:
        """Absorb the leader's flip into its block; None when no flip leads."""
        if self.leader < 0 or not self._escapes:
            return None
        turned = exact_matrices(point, self._block) @ self._turns()
        self.leader = -1
        return self(nearest_point(turned, self._block).astype(point.dtype), self._still)

    def neighbor(self, point: np.ndarray) -> np.ndarray | None:
        """Return the point with the flip absorbed that overlaps most, None where none does.

        Where F_0 is zero its logarithm has neither value nor gradient; this is the way on.
        """
        self.follow(self(point, self._still))
        moved = self.escape(point)
        if moved is None or not np.isfinite(moved.log_fidelity):
            return None
        return np.asarray(moved.point)

    def arrays(self) -> dict[str, np.ndarray]:
        """Return leader and weight, for a checkpoint."""
        return {"leader": np.array(self.leader), "weight": np.array(self.weight)}

    def restore(self, arrays: dict[str, np.ndarray]) -> None:
        """Take leader and weight from a checkpoint."""
        self.leader, self.weight = int(arrays["leader"]), float(arrays["weight"])

    def _cost(self, here: Overlaps) -> Evaluation:
        """Return the cost at a point; infinite where nothing at all overlaps."""
        log_fidelity = float(here.log_fidelity)
        loss, slope = _infidelity(here)
        if self.leader >= 0:
            led, led_slope = _infidelity(self._run(here.point, self._still, self._turns()))
            loss += self.weight * (led - loss)
            slope = slope + self.weight * (led_slope - slope)
        elif not np.isfinite(log_fidelity):
            loss = np.inf
        return Evaluation(here.point, loss, slope, log_fidelity, here, here.lost)

    def _turns(self) -> np.ndarray:
        """Return the leader's flip before its block, and identities before the others."""
        turns = self._identities.copy()
        turns[self._flips.block[self.leader]] = self._flips.matrix[self.leader]
        return turns

    def _near(self, point: Any) -> np.ndarray:
        """Return log F_j close to where F_0 is exactly zero and its logarithm has no gradient."""
        size = np.sqrt(np.finfo(self._identities.dtype).eps)
        turns = self._identities.copy()
        # Unequal turns, lest what they let through cancel.
        for number, (block, flip) in enumerate(zip(*self._flips, strict=True)):
            turns[block] = turns[block] + size * (0.5 + np.modf(0.618 * number)[0]) * flip
        return np.asarray(self._run(point, self._still, turns).log_flipped)


def _infidelity(here: Overlaps) -> tuple[float, np.ndarray]:
    """Return 1 - F and its gradient; where F is zero its gradient is too."""
    log_fidelity = float(here.log_fidelity)
    if not np.isfinite(log_fidelity):
        return 1.0, np.zeros(np.shape(here.gradient))
    return float(-np.expm1(log_fidelity)), -np.exp(log_fidelity) * np.asarray(here.gradient)


def _flip(state: np.ndarray) -> np.ndarray:
    """Return the matrix that exchanges a state and the one orthogonal to it."""
    other = np.array([-np.conj(state[1]), np.conj(state[0])])
    return np.outer(other, np.conj(state)) + np.outer(state, np.conj(other))
