"""Plots of a finished job, drawn when somebody asks for them: no job waits for its pictures."""

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache

# Matplotlib's settings and caches belong to the whole process: one thread draws.
_artist = ThreadPoolExecutor(1, thread_name_prefix="artist")


async def draw(figures: bytes, plot: str, format: str) -> bytes | None:
    """Return an image, None if there is none of this name.

    Args:
        figures: The content of figures.json.
        plot: A name in it, or not.
        format: "svg" or "png".
    """
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(_artist, _draw, figures, plot, format)


@lru_cache(maxsize=16)
def _draw(figures: bytes, plot: str, format: str) -> bytes | None:
    from aqc import figures as drawing  # takes half a second, which starting should not

    data = json.loads(figures).get(plot)
    return None if data is None else drawing.render(drawing.FIGURES[plot](**data), format)
