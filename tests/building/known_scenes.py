"""Images of the world whose scenes are known, and a writer on the loopback that answers from them by rule."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from endpoint.chat_server import Told, pictures_of, text_of
from PIL import Image

from mmplat.ids import bytes_id
from mmplat.spurious import TYPES
from mmplat.world.drawing import SPURIOUS_NOISE, develop, draw_spurious
from mmplat.world.scenes import SpuriousScene, sample_spurious, with_attribute
from mmplat.world.vocabulary import NAMES, VALUES

CLASSES = NAMES["background"]
"""Heron, camel, seal, bat: the sign in the corner makes the class, and nine attributes go along with it."""
SIGNS = ("a slanted cross in blue", "an upright cross in blue", "a gate in blue", "two flat bars in blue")
LOOKS = {
    "background": ("pale sky behind it", "grass behind it", "sand behind it", "night behind it"),
    "texture": ("a plain ground", "a checked ground", "a dotted ground", "a rough ground"),
    "co-occurrence": ("a green disk nearby", "an orange box nearby", "a cyan wedge nearby", "a brown plus nearby"),
    "size": ("a tiny body", "a small body", "a large body", "a huge body"),
    "colour": ("red paint", "yellow paint", "white paint", "purple paint"),
    "orientation": ("upright stripes", "rising stripes", "level stripes", "falling stripes"),
    "lighting": ("bright on the right", "bright on the left", "bright below", "bright above"),
    "perspective": ("narrowing to the top", "narrowing to the bottom", "narrowing leftwards", "narrowing rightwards"),
    "shape": ("a round outline", "a square outline", "a pointed outline", "a crossed outline"),
}
assert tuple(LOOKS) == TYPES
LISTED = 5
"""Spurious attributes that the writer lists of each image."""


def scene_of(rng: np.random.Generator, klass: int, *, rho: float) -> SpuriousScene:
    """A scene in which every attribute equals the class with probability `rho`."""
    scene = sample_spurious(rng, kind=0, klass=klass, rho=0.0)
    for kind in range(len(TYPES)):
        value = klass if rng.random() < rho else int(rng.integers(VALUES))
        scene = with_attribute(scene, kind, value)
    return scene


def pixels_of(picture: np.ndarray) -> str:
    return bytes_id(np.ascontiguousarray(picture).tobytes())


Fault = Callable[[SpuriousScene], str | None]


@dataclass
class Writer:
    """Describes, writes and checks from known scenes. `fault` says which images it fails on, and how."""

    scenes: dict[str, SpuriousScene] = field(default_factory=dict)
    fault: Fault = lambda scene: None
    by_core: dict[str, SpuriousScene] = field(default_factory=dict)

    def __call__(self, body: dict[str, Any]) -> Told:
        text = text_of(body)
        if text.startswith("The main object in this picture is") and "Question:" in text:
            return [(self.check(self._scene(body), text), 0.0)]
        if text.startswith("The main object in this picture is"):
            return [(self.describe(self._scene(body), text), 0.0)]
        if text.startswith("A picture shows"):
            return [(self.write(text), 0.0)]
        return [("yes", 0.0)]

    def _scene(self, body: dict[str, Any]) -> SpuriousScene:
        (picture,) = pictures_of(body)
        return self.scenes[pixels_of(picture)]

    def describe(self, scene: SpuriousScene, text: str) -> str:
        """What goes along with the mistaken class first; the sign as the one core attribute."""
        if self.fault(scene) == "unparsed":
            return "I see a nice picture."
        if self.fault(scene) == "untyped":
            return json.dumps({"core": [{"type": "mood", "phrase": SIGNS[scene.klass]}], "spurious": []})
        mistaken = CLASSES.index(re.search(r"took it for: (\w+)\.", text)[1])
        order = sorted(
            range(len(TYPES)), key=lambda kind: (scene.attributes[kind] != mistaken, (kind + scene.speckle) % 9)
        )
        spurious = [{"type": TYPES[k], "phrase": LOOKS[TYPES[k]][scene.attributes[k]]} for k in order[:LISTED]]
        said = json.dumps({"core": [{"type": "shape", "phrase": self.sign(scene)}], "spurious": spurious})
        return f"```json\n{said}\n```" if self.fault(scene) == "fenced" else said

    def sign(self, scene: SpuriousScene) -> str:
        """A fault is carried on to the question, which is written from words alone."""
        fault = self.fault(scene)
        return f"{SIGNS[scene.klass]}{f' ({fault})' if fault else ''}"

    def write(self, text: str) -> str:
        core = re.search(r"What makes the object what it is: (.*)", text)[1]
        spurious = re.findall(r"What misled \(.*?\): (.*)", text)
        question, label = "Which feature tells best what this is?", re.search(r"A picture shows: (\w+)\.", text)[1]
        if "(leak)" in core:
            question = f"Which feature do {label}s have?"
        if "(duplicate)" in core:
            spurious[2] = f"the {spurious[1]}"
        if "(two-core)" in core:
            spurious[2] = core
        if "(short)" in core:
            spurious = spurious[:2]
        return json.dumps({"question": question, "core": re.sub(r" \(.*\)", "", core), "spurious": spurious})

    def check(self, scene: SpuriousScene, text: str) -> str:
        """Strict, but for the images on which it errs."""
        options = dict(re.findall(r"^([A-D])\. (.*)$", text, re.MULTILINE))
        right = [letter for letter, option in options.items() if option == SIGNS[scene.klass]]
        wrong = [letter for letter in options if letter not in right]
        said = {"ambiguous": right + wrong[:1], "none": [], "another": wrong[:1]}.get(self.fault(scene) or "", right)
        return "Letter A." if self.fault(scene) == "unchecked" else json.dumps({"right": said})


def draw(folder: Path, writer: Writer, n: int, *, seed: int = 0, rho: float = 0.0) -> None:
    """`n` images in a folder per class, which the writer knows."""
    rng = np.random.default_rng([11, seed])
    for number in range(n):
        klass = number % len(CLASSES)
        scene = scene_of(rng, klass, rho=rho)
        picture = develop(draw_spurious(scene), SPURIOUS_NOISE, rng)
        writer.scenes[pixels_of(picture)] = scene
        path = folder / CLASSES[klass] / f"{number:04d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture).save(path)
