"""Cost of `mmplat spubench`: images of the world → a release, by a tiny CLIP and a writer on the loopback that knows the scenes.

The writer answers at once, so what is measured is everything but the waiting for a model. Prints one line of JSON: seconds and
requests of each stage, the same command again, and what one more decision costs.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import yaml

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "building"))
import known_scenes
import tiny_clip
from endpoint.chat_server import Endpoint, serving

from mmplat.artifacts import Results
from mmplat.building import STAGES, Build, run
from mmplat.building.reviews import Reviews
from mmplat.building.settings import parse_build


def timed(build: Build) -> dict[str, Any]:
    """Seconds of every stage."""
    found = {}
    for name, stage in STAGES.items():
        began = time.perf_counter()
        run(stage, build)
        found[name] = round(time.perf_counter() - began, 2)
    return {**found, "all": round(sum(found.values()), 2)}


def measure(folder: Path, n: int) -> dict[str, Any]:
    writer = known_scenes.Writer()
    tiny_clip.train(folder / "clip")
    known_scenes.draw(folder / "images", writer, n)
    with serving(Endpoint(told=writer, usage={"prompt_tokens": 200, "completion_tokens": 50})) as endpoint:
        said = {
            "build": "bench",
            "images": {"path": str(folder / "images")},
            "select": {"model": str(folder / "clip")},
            "writer": {"params": {"url": endpoint.url, "model": "writer"}},
            "release": {"unreviewed": True},
        }
        build = Build(parse_build(yaml.safe_dump(said)), Results(folder / "results"))
        first, requests = timed(build), len(endpoint.bodies)
        again = timed(build)
        reviews = Reviews(build)
        began = time.perf_counter()
        reviews.decide(reviews.items()[0].item_id, "accept", who="bench")
        decided = round(time.perf_counter() - began, 3)
        counts = {name: build.record(name)["counts"] for name in ("select", "check")}
        return {
            "images": n,
            "mistaken": counts["select"]["mistaken"],
            "passed": counts["check"]["passed"],
            "requests": requests,
            "seconds": first,
            "again": again["all"],
            "requests_again": len(endpoint.bodies) - requests,
            "one_decision": decided,
            "load": os.getloadavg()[0],
        }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=200)
    with tempfile.TemporaryDirectory() as made:
        print(json.dumps(measure(Path(made), parser.parse_args().images)))
