"""Time the main job: 1,000 articles fetched from loopback, extracted and learned.

    python scripts/bench_ingest.py --data "$TIDINGS_DATA" --json ingest.json

The replayed newsroom (beside the data folder) serves them on loopback; its clock is pushed a day at a time until
enough are learned. The waits of courtesy between two requests to one host are off: they are slept, not worked, and the
only host is this machine.
"""

import argparse
import importlib
import json
import logging
import resource
import sys
import tempfile
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

from agent.app import open_service
from agent.settings import load_settings


def main() -> None:
    """Run the benchmark and write its report."""
    options = _options()
    sys.path.insert(0, str(options.data.parent / "newsroom"))
    newsroom = importlib.import_module("newsroom")  # the replay server is no package of ours

    logging.basicConfig(level=logging.ERROR)
    with (
        tempfile.TemporaryDirectory() as home,
        newsroom.Newsroom(options.data / "newsroom", port=0) as room,
    ):
        room.clock.set(room.articles[2000].published_at)
        settings = load_settings(
            {
                "TIDINGS_FETCH__ALLOW_PRIVATE": f"127.0.0.0/8:{room.port}",
                "TIDINGS_FETCH__HOST_GAP_S": "0",
                "TIDINGS_FETCH__MAX_CRAWL_DELAY_S": "0",
            }
        )
        report = _measure(settings, Path(home), room, options.articles)
    options.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    sys.stdout.write(json.dumps(report) + "\n")


def _measure(settings: Any, home: Path, room: Any, wanted: int) -> dict[str, Any]:
    totals: dict[str, float] = {}
    started = time.monotonic()
    with open_service(settings, home) as service:
        while totals.get("articles", 0) < wanted:
            counts = service.call("ingest", {"feeds": f"{room.url}/feeds.yaml"})
            for name, value in counts.items():
                totals[name] = totals.get(name, 0) + value
            room.clock.set(room.clock.now() + timedelta(days=1))
        seconds = time.monotonic() - started
        verified = service.call("verify", {})
    return {
        "benchmark": "ingest",
        "articles": totals["articles"],
        "seconds": round(seconds, 1),
        "seconds_per_1000_articles": round(seconds / totals["articles"] * 1000, 1),
        "counts": {name: round(value, 3) for name, value in totals.items()},
        "unsupported_facts": verified["unsupported"],
        "peak_rss_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="the data folder")
    parser.add_argument("--json", type=Path, required=True, help="where the report goes")
    parser.add_argument("--articles", type=int, default=1000)
    return parser.parse_args()


if __name__ == "__main__":
    main()
