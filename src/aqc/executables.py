"""What XLA compiled for given shapes, kept for as long as the process lives.

A second fit of the same shapes starts at once, and a fit's code can be compiled in another thread
before it is needed: who asks for it meanwhile waits for that thread.
"""

from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future
from threading import Lock
from typing import Any

import jax

# Each holds a few megabytes of code.
_MOST = 32
_kept: OrderedDict[Any, Future[Any]] = OrderedDict()
_lock = Lock()


def compiled(function: Any, *arguments: Any, **options: Any) -> Callable[..., Any]:
    """Return a jitted function, compiled for arguments like these.

    Args:
        function: From `jax.jit`.
        *arguments: Arrays, nested; only shapes, types and devices matter.
        **options: Static arguments.

    Returns:
        The executable; it takes the arguments without the options.

    Example:
        >>> double = jax.jit(lambda x: 2 * x)
        >>> run = compiled(double, jax.numpy.ones(3))
        >>> run is compiled(double, jax.numpy.zeros(3)), float(run(jax.numpy.ones(3))[0])
        (True, 2.0)
    """
    leaves, structure = jax.tree.flatten(arguments)
    looks = tuple((x.shape, str(x.dtype), getattr(x, "sharding", None)) for x in leaves)
    key = (function, tuple(sorted(options.items())), structure, looks)
    with _lock:
        mine = key not in _kept
        future = _kept.setdefault(key, Future())
        _kept.move_to_end(key)
        if len(_kept) > _MOST:
            _kept.popitem(last=False)
    if mine:
        try:
            future.set_result(function.lower(*arguments, **options).compile())
        except BaseException as error:
            with _lock:
                _kept.pop(key, None)
            future.set_exception(error)
    executable: Callable[..., Any] = future.result()
    return executable
