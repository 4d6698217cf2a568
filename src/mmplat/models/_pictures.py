"""Pictures under views → what a model sees of them: processed once, and shown to the vision tower once, per distinct picture."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from mmplat.models.base import Ask
from mmplat.views import catalog as view_kinds

FEATURE_CACHE_BYTES = 2 << 30
PIXEL_CACHE_BYTES = 256 << 20
VISION_BATCH = 64

Processed = Mapping[str, NDArray[Any]]
"""What a processor makes of one picture: `pixel_values`, and what else its family needs (sizes, grids)."""
Key = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Seen:
    """One picture as the network takes it: the processor's other outputs, and what the vision tower made of the pixels."""

    text: str
    """What stands in the prompt where the picture is: depends on its size, never on its content."""
    processed: Processed
    features: Any = None
    """A tensor (token, width) for most families; None where a family runs its vision tower inside the forward."""

    @property
    def nbytes(self) -> int:
        kept = self.features if isinstance(self.features, tuple) else (self.features,)
        return sum(a.nbytes for a in self.processed.values()) + sum(t.nbytes for t in kept if t is not None)


@dataclass(slots=True)
class ByteLimited:
    """A cache that forgets its oldest entries beyond a number of bytes."""

    limit: int
    size: int = 0
    items: dict[Any, Any] = field(default_factory=dict)

    def clear(self) -> None:
        self.items.clear()
        self.size = 0

    def put(self, key: Any, value: Any, nbytes: int) -> None:
        self.items[key] = (value, nbytes)
        self.size += nbytes
        while self.size > self.limit and len(self.items) > 1:
            self.size -= self.items.pop(next(iter(self.items)))[1]

    def known(self, keys: Sequence[Any]) -> dict[Any, Any]:
        return {key: self.items[key][0] for key in keys if key in self.items}


@dataclass(slots=True)
class Pictures:
    """The pictures of asks, each view applied where it acts."""

    process: Callable[[list[NDArray[Any]]], list[Processed]]
    """The processor's work on some pictures, one result each."""
    see: Callable[[list[Processed]], list[Any]]
    """Features of some processed pictures: the vision tower."""
    text: Callable[[Processed], str]
    change: Callable[[Processed, Callable[[NDArray[Any]], NDArray[Any]]], Processed]
    """A processed picture with its pixels changed: how a view in pixel space acts in this family."""
    batch: int = VISION_BATCH
    """Pictures of one run of the vision tower."""
    _seen: ByteLimited = field(default_factory=lambda: ByteLimited(FEATURE_CACHE_BYTES))
    _processed: ByteLimited = field(default_factory=lambda: ByteLimited(PIXEL_CACHE_BYTES))

    def of(self, asks: Sequence[Ask]) -> list[tuple[Seen, ...]]:
        """What the model sees of each ask's pictures; nothing where its view leaves no picture in the prompt."""
        keys = [feature_keys(ask) for ask in asks]
        wanted = {key: (ask, at) for ask, its in zip(asks, keys, strict=True) for at, key in enumerate(its)}
        found = self._seen.known(list(wanted))
        new = [key for key in wanted if key not in found]
        start = 0
        while start < len(new):
            some = {key: wanted[key] for key in new[start : start + self.batch]}
            processed = self._under_views(some)
            features_of = self._seen_by_halves(processed)
            start += len(some)
            for key, one, features in zip(some, processed, features_of, strict=True):
                # The pixels have done their work where there are features: what is left of them is a few numbers.
                kept = {n: a for n, a in one.items() if n != "pixel_values"} if features is not None else one
                found[key] = Seen(self.text(one), kept, features)
                self._seen.put(key, found[key], found[key].nbytes)
        return [tuple(found[key] for key in its) for its in keys]

    def unseen(self, asks: Sequence[Ask]) -> list[tuple[Seen, ...]]:
        """Each ask's pictures as the processor leaves them, not shown to the vision tower; equal pictures are one object."""
        keys = [feature_keys(ask) for ask in asks]
        wanted = {key: (ask, at) for ask, its in zip(asks, keys, strict=True) for at, key in enumerate(its)}
        processed = self._under_views(wanted)
        found = {key: Seen(self.text(one), one) for key, one in zip(wanted, processed, strict=True)}
        return [tuple(found[key] for key in its) for its in keys]

    def forget(self) -> None:
        """Empties the caches: what was seen before would be a gift to a measurement."""
        self._seen.clear()
        self._processed.clear()

    def _seen_by_halves(self, processed: list[Processed]) -> list[Any]:
        """The vision tower on some pictures; on half as many from here on where its device's memory does not suffice."""
        import torch

        while True:
            parts = [processed[at : at + self.batch] for at in range(0, len(processed), self.batch)]
            try:
                return [features for part in parts for features in self.see(part)]
            except torch.OutOfMemoryError:
                if self.batch == 1:
                    raise
                self.batch //= 2
                if torch.cuda.is_available():
                    torch.cuda.empty_cache()

    def _under_views(self, wanted: dict[Key, tuple[Ask, int]]) -> list[Processed]:
        """Processed pictures. A view in pixel space starts from the processed original, which many asks share."""
        raw: dict[Any, NDArray[Any]] = {}
        names = []
        for key, (ask, at) in wanted.items():
            kind = view_kinds.get(ask.view.kind)
            if kind.place == "picture":
                name: Any = key
                raw[name] = kind.transform(ask.pictures[at], ask.view.params, ask.seed + at)
            else:
                name = ask.sample.images[at]
                raw[name] = ask.pictures[at]
            names.append(name)
        processed = self._originals(raw)
        return [
            self._in_pixels(processed[name], ask, at) for name, (ask, at) in zip(names, wanted.values(), strict=True)
        ]

    def _in_pixels(self, processed: Processed, ask: Ask, at: int) -> Processed:
        kind = view_kinds.get(ask.view.kind)
        if kind.place != "pixels":
            return processed
        return self.change(processed, lambda pixels: kind.transform(pixels, ask.view.params, ask.seed + at))

    def _originals(self, raw: dict[Any, NDArray[Any]]) -> dict[Any, Processed]:
        """The processor's work on distinct pictures, in one call for those it has not done."""
        found = self._processed.known(list(raw))
        new = [name for name in raw if name not in found]
        if new:
            for name, one in zip(new, self.process([raw[name] for name in new]), strict=True):
                found[name] = one
                self._processed.put(name, one, sum(a.nbytes for a in one.values()))
        return found


def feature_keys(ask: Ask) -> tuple[Key, ...]:
    """Names of what an ask's pictures look like: equal pictures under equal views share their features."""
    kind = view_kinds.get(ask.view.kind)
    if kind.image != "keep":
        return ()
    if kind.stochastic and kind.place != "question":
        return tuple((ask.view.asked, ask.sample.sample_key, at) for at in range(len(ask.pictures)))
    if kind.constant:
        # Sizes matter: a tiling model cuts a picture by its size.
        return tuple((ask.view.asked, picture.shape) for picture in ask.pictures)
    if kind.place in ("prompt", "question", "inside"):  # the image as it is
        return tuple((name,) for name in ask.sample.images)
    return tuple((ask.view.asked, name) for name in ask.sample.images)


def change_pixels(processed: Processed, transform: Callable[[NDArray[Any]], NDArray[Any]]) -> Processed:
    """The common way: the transform sees the whole tensor of one picture, its tiles included."""
    return {**processed, "pixel_values": transform(processed["pixel_values"])}
