"""Work on many texts, shared by the cores of the machine.

The parts are consecutive and their results come in order, so that nothing depends on the cores.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import TypeVar

LEAST_TEXTS = 50_000
"""With fewer, to start processes takes longer than it saves."""
PARTS_A_CORE = 4

R = TypeVar("R")


def map_parts(work: Callable[[Sequence[str]], R], texts: Sequence[str]) -> Iterator[R]:
    """What `work` returns for consecutive parts of the texts, in order.

    Args:
        work: a function at the top of a module, or a `functools.partial` of one; it must not
            matter to its result where the parts are cut.
        texts: all of them.
    """
    cores = os.cpu_count() or 1
    if len(texts) < LEAST_TEXTS or cores == 1:
        yield work(texts)
        return
    size = -(-len(texts) // (PARTS_A_CORE * cores))
    parts = [texts[start : start + size] for start in range(0, len(texts), size)]
    with ProcessPoolExecutor(cores, multiprocessing.get_context("spawn")) as pool:
        yield from pool.map(work, parts)
