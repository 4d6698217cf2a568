"""One training from its job to its card: results/trained/<key>/."""

from __future__ import annotations

import json
import os
import resource
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from mmplat.artifacts import Results, read_json, write_json
from mmplat.ids import folder_id
from mmplat.locks import in_use, only_writer
from mmplat.models import families
from mmplat.models.identity import located
from mmplat.models.teaching import Teachable
from mmplat.preparing import load_metadata
from mmplat.provenance import git_state, packages
from mmplat.recipes import TrainingJob
from mmplat.records import ModelSpec
from mmplat.splits import Seen, seen_in
from mmplat.training import resuming, weights
from mmplat.training.data import Batches, Item, items_of
from mmplat.training.loop import Line, Loop
from mmplat.training.processes import Processes, joined

Advance = Callable[[int, int], None]
"""(steps done, steps in all)"""
LAST = 0.1
"""Share of the steps whose mean loss the card states as the last."""


def train(job: TrainingJob, results: Results, *, advance: Advance = lambda done, total: None) -> dict[str, Any]:
    """Trains unless it is done; returns the card. Killed at any moment, the same call goes on from its last point."""
    folder = results.trained(job.key)
    done = folder / "card.json"
    if not done.exists():
        processes = joined()
        if processes.first:
            with in_use(results), only_writer(folder, what=f"Training {job.model.name!r}"):
                _train(job, results, processes, advance)
        else:
            _train(job, results, processes, advance)
        processes.wait()
    return dict(read_json(done, made_by="mmplat train"))


def _train(job: TrainingJob, results: Results, processes: Processes, advance: Advance) -> None:
    folder, recipe = results.trained(job.key), job.recipe
    items = [item for part in job.data for item in items_of(part, results)]
    pools = {family: [one for one in items if one.family == family] for family in recipe.batch}
    batches = Batches(pools, job, process=processes.index, processes=processes.count)
    taught = Teachable(families.get(job.base.family).load(located(_loadable(job, processes), results)))
    handle = weights.begin(taught, job)
    processes.shard(taught)
    loop = Loop(taught, batches, recipe, processes, steps_of(job, batches))
    begun = resuming.go_on(loop, folder)
    lines = resuming.lines_until(folder, begun) if processes.first else []
    for line in _written(loop, folder):
        lines.append(line)
        advance(loop.done, loop.total)
    peak = _peak(taught)
    if processes.first:
        shutil.rmtree(folder / "model", ignore_errors=True)  # of a save that was killed
    weights.save(taught, job, handle, folder / "model", first=processes.first)
    if processes.first:
        _finish(job, results, taught, items, batches, lines, begun, peak)


def steps_of(job: TrainingJob, batches: Batches) -> int:
    """An epoch ends when a family has no items left for another batch; what does not fill a step is left out."""
    wanted = job.recipe.schedule
    if wanted.steps is not None:
        return wanted.steps
    return max(1, int(batches.per_epoch * (wanted.epochs or 1) / job.recipe.accumulate))


def _loadable(job: TrainingJob, processes: Processes) -> ModelSpec:
    """The base as it is trained: adapters stand on weights of the arithmetic's own kind, whole weights are in float32."""
    dtype = job.recipe.dtype if job.recipe.lora else "float32"
    changed: dict[str, Any] = {"dtype": dtype, "device_map": None, "reference": False}
    return job.base.model_copy(update=changed | ({"device": processes.device} if processes.device else {}))


def _written(loop: Loop, folder: Path) -> Iterator[Line]:
    """The steps, each written by the first process as it comes, and a point to go on from every so often."""
    with open(folder / resuming.LOSSES if loop.processes.first else os.devnull, "a", encoding="utf-8") as stream:
        for line in loop.steps():
            stream.write(json.dumps(line) + "\n")
            stream.flush()
            if loop.done % loop.recipe.checkpoint_every == 0 and loop.done < loop.total:
                if loop.processes.first:  # the card counts lines: none may be missing before the point
                    os.fsync(stream.fileno())
                resuming.keep(loop, folder)
            yield line


def _finish(
    job: TrainingJob,
    results: Results,
    taught: Teachable,
    items: Sequence[Item],
    batches: Batches,
    lines: Sequence[Line],
    begun: int,
    peak: dict[str, int],
) -> None:
    """What was seen, and the card last."""
    folder = results.trained(job.key)
    learning = sum(weight.numel() for weight in taught.model.network.parameters() if weight.requires_grad)
    seen = seen_in(job, results)
    write_json(folder / "seen.json", seen.model_dump(mode="json"))
    card = {
        **_whose(job, results, seen),
        **_cost(lines),
        **peak,
        "items": len(items),
        "batches_per_epoch": batches.per_epoch,
        "epochs": len(lines) * job.recipe.accumulate / batches.per_epoch,
        "went_on_from": begun or None,
        "learning": learning,
        "device": taught.model.hardware,
        "processes": batches.processes,
        "weights": folder_id(folder / "model"),
    }
    write_json(folder / "card.json", card)
    (folder / resuming.POINT).unlink(missing_ok=True)


def _whose(job: TrainingJob, results: Results, seen: Seen) -> dict[str, Any]:
    revision, dirty = git_state()
    return {
        "key": job.key,
        "model": job.model.name,
        "parent": {"name": job.base.name, **job.base.settings, "content": job.base_content},
        "recipe": {"name": job.name, **job.recipe.model_dump(mode="json")},
        "data": [_told(one.name, one.key, results) for one in job.suites],
        "seen": {name: len(values) for name, values in seen},
        "versions": packages(),
        "git": {"revision": revision, "uncommitted": dirty},
        "written": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }


def _told(name: str, key: str, results: Results) -> dict[str, Any]:
    said = load_metadata(results.suite(name, key))
    return {"suite": name, "key": key, "n": said["n"], "content_id": said["content_id"]}


def _cost(lines: Sequence[Line]) -> dict[str, Any]:
    """What it took, and where the losses began and ended."""
    seconds, rows = sum(line["seconds"] for line in lines), sum(line["rows"] for line in lines)
    size = max(1, round(LAST * len(lines)))
    return {
        "steps": len(lines),
        "rows": rows,
        "seconds": round(seconds, 3),
        "rows_per_s": round(rows / seconds, 2),
        "losses": {"first": _mean(lines[:size]), "last": _mean(lines[-size:])},
    }


def _mean(lines: Sequence[Line]) -> Line:
    counted = {"step", "rate", "rows", "seconds"}
    names = {name: None for line in lines for name in line if name not in counted}
    told = {name: [line[name] for line in lines if name in line] for name in names}
    return {name: sum(values) / len(values) for name, values in told.items()}


def _peak(taught: Teachable) -> dict[str, int]:
    """Memory at most, of this process and of its GPU."""
    import torch

    found = {"peak_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024}
    if taught.model.device.startswith("cuda"):
        found["peak_gpu_memory_mb"] = torch.cuda.max_memory_allocated() >> 20
    return found
