"""prepare: one suite → samples.parquet and images, content-hashed. suite.json is written last: then the folder is complete.

Reading it back is here too, so that one module knows the format.
"""

from __future__ import annotations

import io
import json
import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mmplat import conditions
from mmplat.artifacts import Results, atomic, read_json, write_bytes, write_json
from mmplat.errors import ArtifactError, ConfigError, MmplatError
from mmplat.ids import bytes_id, content_id, file_id
from mmplat.image_files import UnreadableImage, open_rgb
from mmplat.locks import in_use, only_writer
from mmplat.records import IMPORTED, Sample, SuiteSpec
from mmplat.suites import LeftOut, RawSample, catalog, identify

Advance = Callable[[int], None]
log = logging.getLogger(__name__)


def prepare(spec: SuiteSpec, results: Results, *, advance: Advance = lambda n: None) -> Path:
    """Prepares a suite unless it is; returns the path of its suite.json."""
    folder = results.suite(spec.name, spec.key)
    done = folder / "suite.json"
    if done.exists():
        return done
    with in_use(results), only_writer(folder, what=f"Suite {spec.name!r}"):
        if done.exists():  # another process finished it while we waited for nothing
            return done
        _refuse_changed(spec)
        left_out: list[LeftOut] = []
        # A suite that does not know about limits is cut here; one that does saves the work of making the rest.
        found = islice(_asked(_made(spec), left_out), spec.limit)
        asked = _asked(_conditioned(spec, found), left_out)
        samples = _store(asked, folder / "images", advance)
        if not samples:
            raise ConfigError(_why_empty(spec, left_out))
        _refuse_unusable(spec, samples)
        with atomic(folder / "samples.parquet") as temporary:
            samples_table(samples).write_parquet(temporary)
        digest = file_id(folder / "samples.parquet", length=64)
        write_json(done, {**_metadata(spec, samples, left_out), "samples": digest})
    return done


def load_samples(folder: Path) -> list[Sample]:
    """The samples of a prepared suite, in the suite's order."""
    path = folder / "samples.parquet"
    if not (folder / "suite.json").exists():
        raise ArtifactError(f"{folder} is no prepared suite (suite.json is missing). `mmplat prepare` makes it.")
    metadata = load_metadata(folder)
    lists = ("labels", "options", "images")
    objects = ("groups", "reference")
    try:
        digest = file_id(path, length=64)
        rows = pl.read_parquet(path, glob=False).to_dicts()
        samples = [
            Sample(**{**r, **{k: tuple(r[k]) for k in lists}, **{k: json.loads(r[k]) for k in objects if k in r}})
            for r in rows
        ]
    except (OSError, pl.exceptions.PolarsError, TypeError, KeyError, ValueError) as error:
        raise ArtifactError(
            f"{path} cannot be read ({error}). Delete the folder {folder} and run `mmplat prepare` again."
        ) from error
    # suite.json names the file's digest since 0.2; before, what its samples come to, and of imported answers not even that.
    known = "samples" in metadata or metadata.get("params", {}).get("origin") == IMPORTED
    if digest != metadata.get("samples", digest) or not (known or samples_id(samples) == metadata["content_id"]):
        raise ArtifactError(
            f"{path} does not hold the samples that were prepared: it was altered, or is damaged. Delete the folder {folder} "
            "and run `mmplat prepare` again."
        )
    return samples


def load_metadata(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = read_json(folder / "suite.json", made_by="mmplat prepare")
    return found


def known_count(folder: Path) -> int | None:
    """Samples of a prepared suite; None where it is not prepared yet."""
    return int(load_metadata(folder)["n"]) if (folder / "suite.json").exists() else None


def load_picture(folder: Path, name: str) -> NDArray[np.uint8]:
    """One image of a prepared suite (height × width × 3), checked against the content that its name promises."""
    path = folder / "images" / name
    try:
        picture = np.asarray(open_rgb(path))
    except FileNotFoundError:
        raise ArtifactError(
            f"Image {path} is missing. Delete {folder / 'suite.json'} and run `mmplat prepare` again."
        ) from None
    except UnreadableImage as error:
        raise ArtifactError(
            f"Image {path} cannot be read ({error}). Delete it with {folder / 'suite.json'} and run `mmplat prepare` again."
        ) from error
    if picture_name(picture) != name:
        raise ArtifactError(
            f"Image {path} is not what was prepared: its content changed. Delete {folder} and run `mmplat prepare` again."
        )
    return picture


def picture_name(picture: NDArray[np.uint8]) -> str:
    """An image is named by its pixels, not by the bytes of a PNG encoder's version."""
    height, width = picture.shape[:2]
    return f"{bytes_id(f'{height}x{width}:'.encode() + np.ascontiguousarray(picture).tobytes())}.png"


def _made(spec: SuiteSpec) -> Iterator[RawSample | LeftOut]:
    """What the suite makes. A defect of its code keeps its traceback, which says behind which sample it was."""
    last = "the first"
    try:
        for one in catalog.get(spec.kind).samples(spec):
            yield one
            last = f"the one behind {one.sample_id!r}"
    except MmplatError:
        raise
    except Exception as error:
        error.add_note(f"Suite {spec.name!r} could not make its samples: this happened at {last}.")
        raise


def _asked(found: Iterable[RawSample | LeftOut], left_out: list[LeftOut]) -> Iterator[RawSample]:
    """The samples; what a suite leaves out is put aside."""
    for one in found:
        if isinstance(one, RawSample):
            yield one
        else:
            left_out.append(one)


def _conditioned(spec: SuiteSpec, samples: Iterable[RawSample]) -> Iterable[RawSample | LeftOut]:
    """The samples as the suite's condition changes them. It comes after the limit: the same samples with and without it."""
    condition = spec.condition
    return samples if condition is None else (conditions.applied(condition, sample) for sample in samples)


def _refuse_changed(spec: SuiteSpec) -> None:
    """The key says what the files held when they were planned; other content under it would be a silent mix-up."""
    planned = [spec.content, spec.condition and spec.condition.content]
    found = [identify(spec), spec.condition and conditions.identify(spec.condition)]
    if found != planned:
        raise ArtifactError(
            f"Suite {spec.name!r}: the files it reads changed since they were planned (planned {planned[0]}, now {found[0]}"
            + (f"; its condition's: planned {planned[1]}, now {found[1]}" if spec.condition else "")
            + "). Run `mmplat plan --write` again: what is new gets a key of its own, and what was measured stays."
        )


def _why_empty(spec: SuiteSpec, left_out: list[LeftOut]) -> str:
    why = f" {len(left_out)} are left out; the first: {left_out[0].reason}." if left_out else ""
    return f"Suite {spec.name!r} holds no sample with {spec.params} and limit {spec.limit}.{why}"


def _store(raw: Iterable[RawSample], images: Path, advance: Advance) -> list[Sample]:
    """Writes each distinct image once, and names every sample by its content."""
    samples = []
    for one in raw:
        names = tuple(_write_picture(images, picture) for picture in one.images)
        samples.append(
            Sample(
                sample_id=one.sample_id,
                sample_key=content_id(shown_of(one.question, one.labels, names)),
                cluster=one.cluster or one.sample_id,
                question=one.question,
                options=one.options,
                labels=one.labels,
                gold=one.gold,
                images=names,
                groups=one.groups,
                reference=one.reference,
            )
        )
        advance(1)
    return samples


def shown_of(question: str, labels: Sequence[str], images: Sequence[str]) -> dict[str, Any]:
    """What a model is shown of a sample, and may answer: evidence is joined by the hash of it."""
    return {"question": question, "labels": labels, "images": images}


def sample_key(sample: Sample) -> str:
    """The key of a sample, from its content."""
    return content_id(shown_of(sample.question, sample.labels, sample.images))


def _write_picture(folder: Path, picture: NDArray[np.uint8]) -> str:
    from PIL import Image

    name = picture_name(picture)
    if not (folder / name).exists():
        buffer = io.BytesIO()
        Image.fromarray(picture).save(buffer, "PNG")
        write_bytes(folder / name, buffer.getvalue(), sync=False)
    return name


def samples_table(samples: list[Sample]) -> pl.DataFrame:
    """What samples.parquet holds."""
    text = pl.List(pl.String)
    return pl.DataFrame(
        {
            "sample_id": [s.sample_id for s in samples],
            "sample_key": [s.sample_key for s in samples],
            "cluster": [s.cluster for s in samples],
            "question": [s.question for s in samples],
            "options": pl.Series([list(s.options) for s in samples], dtype=text),
            "labels": pl.Series([list(s.labels) for s in samples], dtype=text),
            "gold": [s.gold for s in samples],
            "images": pl.Series([list(s.images) for s in samples], dtype=text),
            "groups": [json.dumps(s.groups, sort_keys=True) for s in samples],
            "reference": [json.dumps(s.reference, sort_keys=True, ensure_ascii=False) for s in samples],
        }
    )


def samples_id(samples: list[Sample]) -> str:
    """What a prepared suite holds, by content: part of the key of all evidence on it."""
    return content_id(
        [
            [s.sample_id, s.sample_key, s.gold, s.cluster, s.groups, *([s.reference] if s.reference else [])]
            for s in samples
        ]
    )


def _metadata(spec: SuiteSpec, samples: list[Sample], left_out: list[LeftOut]) -> dict[str, Any]:
    return {
        **spec.model_dump(mode="json"),
        "key": spec.key,
        "n": len(samples),
        "images": len({name for s in samples for name in s.images}),
        "content_id": samples_id(samples),
        "groups": _group_sizes(spec, samples),
        "left_out": _by_reason(left_out),
        "differs_from_published": [] if spec.limit else _differences(spec, samples),
    }


def _group_sizes(spec: SuiteSpec, samples: list[Sample]) -> dict[str, dict[str, int]]:
    """Samples by each group column that the suite is reported by: counted, whatever the benchmark's paper says."""
    columns = dict.fromkeys(key for keys in catalog.get(spec.kind).subsets for key in keys)
    sizes = {column: Counter(s.groups[column] for s in samples if column in s.groups) for column in columns}
    return {column: dict(sorted(count.items())) for column, count in sizes.items() if count}


def _by_reason(left_out: list[LeftOut]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for one in left_out:
        found.setdefault(one.reason, []).append(one.sample_id)
    return found


def _differences(spec: SuiteSpec, samples: list[Sample]) -> list[str]:
    """Where the data are not those that were published: scores on them are not those of papers."""
    facts = [{"gold": s.gold, **s.groups}.items() for s in samples]
    different = []
    for which, published in catalog.get(spec.kind).published(spec).items():
        wanted = dict(part.split("=") for part in which.split(",") if part).items()
        found = sum(wanted <= of_sample for of_sample in facts)
        if found != published:
            different.append(f"{which or 'all'}: {found} samples, published are {published}")
    if different:
        log.warning("Suite %s is not the published one: %s.", spec.name, "; ".join(different))
    return different


def _refuse_unusable(spec: SuiteSpec, samples: list[Sample]) -> None:
    """Equal ids, or a gold or positive answer outside the labels, would be scored wrong in silence later."""
    suite = catalog.get(spec.kind)
    if len({s.sample_id for s in samples}) < len(samples):
        raise ConfigError(f"Suite {spec.name!r} gives one sample id to several samples: ids must be unique.")
    for sample in [] if suite.open_ended else samples:
        for what, label in (("gold", sample.gold), ("the positive label", suite.positive)):
            if label is not None and label not in sample.labels:
                raise ConfigError(
                    f"Suite {spec.name!r}, sample {sample.sample_id!r}: {what} {label!r} is none of {list(sample.labels)}."
                )
