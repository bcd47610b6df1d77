"""The shelf: numeric kernels of published papers, each a plain Python function and an endpoint.

One paper is one module of this folder, which ends with the constant `KERNEL`. The registry looks
in the folder; nothing is listed by hand.

Example:
    >>> from aqc import kernels
    >>> all(kernels.load(slug).slug == slug for slug in kernels.slugs())
    True
"""

import importlib
import json
import pkgutil
from importlib import resources
from typing import TYPE_CHECKING, Any

from aqc.errors import InputError

if TYPE_CHECKING:
    from aqc.kernels._kernel import Kernel

__all__ = ["catalogue", "load", "slugs"]


def slugs() -> tuple[str, ...]:
    """Return the names of all kernels, sorted; no kernel is imported."""
    names = (module.name for module in pkgutil.iter_modules(__path__))
    return tuple(sorted(x.replace("_", "-") for x in names if not x.startswith("_")))


def load(slug: str) -> "Kernel":
    """Import a kernel and return its record.

    Args:
        slug: One of `slugs()`.

    Raises:
        InputError: There is no such kernel.
    """
    if slug not in slugs():
        from aqc.checks import nearest  # NumPy comes with it; `aqc kernel list` has no need of it

        hint = nearest(slug, slugs()) if isinstance(slug, str) else "."
        raise InputError(f"There is no kernel {slug!r}{hint} `aqc kernel list` names them all.")
    kernel: Kernel = importlib.import_module(f"{__name__}.{slug.replace('-', '_')}").KERNEL
    return kernel


def catalogue() -> dict[str, dict[str, Any]]:
    """Return what is known of every kernel by its name, without importing any.

    It is read from catalogue.json, which `make catalogue` writes.
    """
    text = (resources.files(__name__) / "catalogue.json").read_text("utf-8")
    entries: dict[str, dict[str, Any]] = json.loads(text)
    return entries
