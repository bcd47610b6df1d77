"""The states of a job, and which may follow which."""

from typing import Literal

State = Literal["queued", "running", "cancelling", "succeeded", "failed", "cancelled"]
Reason = Literal[
    "invalid_input",
    "numerical",
    "time_limit",
    "memory_limit",
    "worker_lost",
    "internal",
]

# Running goes back to queued when a worker hands a job back or dies.
FOLLOWING: dict[str, frozenset[str]] = {
    "queued": frozenset({"running", "failed", "cancelled"}),
    "running": frozenset({"queued", "cancelling", "succeeded", "failed"}),
    "cancelling": frozenset({"cancelled", "succeeded", "failed"}),
    "succeeded": frozenset(),
    "failed": frozenset(),
    "cancelled": frozenset(),
}
STATES = tuple(FOLLOWING)
TERMINAL = frozenset(state for state, following in FOLLOWING.items() if not following)
REASONS: tuple[Reason, ...] = (
    "invalid_input",
    "numerical",
    "time_limit",
    "memory_limit",
    "worker_lost",
    "internal",
)


def predecessors(state: str) -> tuple[str, ...]:
    """Return the states that a state may follow.

    Example:
        >>> predecessors("queued")
        ('running',)
    """
    return tuple(name for name, following in FOLLOWING.items() if state in following)
