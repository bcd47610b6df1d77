"""How many threads linear algebra on small matrices may use."""

from collections.abc import Iterator
from contextlib import contextmanager

from threadpoolctl import threadpool_limits


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Run a block, or as a decorator a function, with a single BLAS thread.

    Matrices of a few hundred rows gain nothing from a second thread, and when cores are shared
    the waiting threads cost a factor of ten and more.

    Example:
        >>> import numpy as np
        >>> with one_blas_thread():
        ...     float(np.linalg.norm(np.eye(4)))
        2.0
    """
    with threadpool_limits(1, user_api="blas"):
        yield
