"""One tick, again and again: which feeds are due stands in SQL, the scheduler only knocks.

A restart loses nothing and polls nobody early, since no due time lives here.
"""

from collections.abc import Callable
from typing import Any

from apscheduler.schedulers.background import BackgroundScheduler


def start_ticking(
    tick: Callable[[], Any], *, every_s: float, misfire_grace_s: int
) -> Callable[[], None]:
    """Run `tick` now and then every `every_s` seconds, never two at once; return the function that stops it.

    Args:
        tick: must not raise for trouble it can expect.
        every_s: seconds from tick to tick; ticks missed while one ran are folded into one.
        misfire_grace_s: a tick this many seconds late still runs (the library's default, 1 s, drops it).
    """
    scheduler = BackgroundScheduler(timezone="UTC")
    scheduler.add_job(tick, id="first tick", misfire_grace_time=None)
    scheduler.add_job(
        tick,
        "interval",
        seconds=every_s,
        id="tick",
        coalesce=True,
        max_instances=1,
        misfire_grace_time=misfire_grace_s,
    )
    scheduler.start()
    return lambda: scheduler.shutdown(wait=False)
