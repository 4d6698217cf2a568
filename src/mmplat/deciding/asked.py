"""What the jobs of a pair say they asked: one done-marker per shard, read as one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from mmplat.artifacts import Results, read_json
from mmplat.errors import ArtifactError
from mmplat.plan import Pair, Plan


def asked_of(plan: Plan, pair: Pair, results: Results) -> tuple[str, dict[str, Any]]:
    """(model key, marker) of a pair: the evidence to decide from, and who was asked, with every failure."""
    markers = [
        read_json(results.batch_done(job.key), made_by=f"mmplat ask {results.batch(job.key)}")
        for job in plan.jobs_of(pair)
    ]
    keys = {str(marker["evidence"][pair.suite.name]) for marker in markers}
    if len(keys) > 1:
        raise ArtifactError(_several_models(pair, markers))
    failures = [failure for marker in markers for failure in marker["failures"]]
    return keys.pop(), {**markers[0], "failures": failures, "versions": _versions(markers)}


def _versions(markers: list[dict[str, Any]]) -> dict[str, str]:
    """Versions behind the shards; several of one package are joined by a plus, as devices are."""
    said = [marker.get("versions", {}) for marker in markers]
    names = sorted({name for versions in said for name in versions})
    return {name: "+".join(sorted({v[name] for v in said if name in v})) for name in names}


def _several_models(pair: Pair, markers: Iterable[dict[str, Any]]) -> str:
    """Shards that were asked on different devices: `dtype: auto` is one thing on a GPU and another on a CPU."""
    batches: dict[str, list[str]] = {}
    identities: dict[str, dict[str, Any]] = {}
    for marker in markers:
        key = marker["evidence"][pair.suite.name]
        batches.setdefault(key, []).append(marker["batch"])
        identities[key] = marker["identity"]
    names = sorted({name for identity in identities.values() for name in identity})
    differing = [n for n in names if len({str(identity.get(n)) for identity in identities.values()}) > 1]
    said = "; ".join(
        f"{len(keys)} with {', '.join(f'{n}={identities[key].get(n)}' for n in differing)} (batch {keys[0]})"
        for key, keys in sorted(batches.items())
    )
    return (
        f"{pair.model.name} × {pair.suite.name}: its shards were asked from models that are not the same: {said}. Their "
        "answers are not mixed. Fix what differs in the grid's entry of the model (`dtype: bfloat16`, say; `needs: "
        "{gpu_type: …}` sends all its jobs to one kind of device) and run the same command again: rows that fit are kept."
    )
