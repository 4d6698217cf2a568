"""CHAIR: how much of what a caption mentions is not in the picture.

An object is mentioned by its name, a plural or a synonym, longest phrase first ("hot dog" is no dog). The word list is ours, not
the one of CHAIR's repository: numbers compare with each other, and with papers only roughly.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from mmplat.records import Sample

NAMES = (
    "person, bicycle, car, motorcycle, airplane, bus, train, truck, boat, traffic light, fire hydrant, stop sign, parking meter, "
    "bench, bird, cat, dog, horse, sheep, cow, elephant, bear, zebra, giraffe, backpack, umbrella, handbag, tie, suitcase, "
    "frisbee, skis, snowboard, sports ball, kite, baseball bat, baseball glove, skateboard, surfboard, tennis racket, bottle, "
    "wine glass, cup, fork, knife, spoon, bowl, banana, apple, sandwich, orange, broccoli, carrot, hot dog, pizza, donut, cake, "
    "chair, couch, potted plant, bed, dining table, toilet, tv, laptop, mouse, remote, keyboard, cell phone, microwave, oven, "
    "toaster, sink, refrigerator, book, clock, vase, scissors, teddy bear, hair drier, toothbrush"
)
"""COCO's 80 categories."""
SYNONYMS = {
    "person": "man, woman, child, boy, girl, people, player, skier, surfer, skateboarder, lady, guy, baby, kid, rider, pedestrian",
    "bicycle": "bike",
    "motorcycle": "motorbike, scooter",
    "airplane": "plane, aircraft, jet, airliner",
    "truck": "pickup, lorry",
    "boat": "ship, sailboat, canoe, kayak",
    "cat": "kitten",
    "dog": "puppy",
    "horse": "pony",
    "sheep": "lamb",
    "cow": "cattle, calf, bull",
    "handbag": "purse",
    "suitcase": "luggage",
    "sports ball": "ball, baseball, tennis ball, soccer ball, football, basketball",
    "skis": "ski",
    "couch": "sofa",
    "potted plant": "houseplant, house plant",
    "dining table": "table",
    "tv": "television, monitor",
    "laptop": "notebook computer",
    "cell phone": "phone, cellphone, smartphone, mobile phone",
    "oven": "stove",
    "refrigerator": "fridge",
    "donut": "doughnut",
    "hair drier": "hair dryer, hairdryer",
    "remote": "remote control",
}
NOT_MEANT = ("bath tub", "toilet paper", "stuffed animal", "dog house", "car seat", "table tennis", "orange color")
"""Phrases that hold the name of an object and mean none."""
IRREGULAR = {
    "men": "man",
    "women": "woman",
    "children": "child",
    "knives": "knife",
    "mice": "mouse",
    "buses": "bus",
    "benches": "bench",
}


def vocabulary(names: Mapping[str, str]) -> dict[str, str]:
    """What mentions an object: its own name, and each synonym."""
    found = {word.strip(): name for name, others in names.items() for word in others.split(",") if word.strip()}
    return found | {name: name for name in names} | dict.fromkeys(NOT_MEANT, "")


COCO_WORDS = vocabulary({name: SYNONYMS.get(name, "") for name in NAMES.split(", ")})


def mentions(text: str, words: Mapping[str, str]) -> list[str]:
    """Objects in the order in which a text mentions them, each mention counting."""
    said = re.findall(r"[a-z]+", text.lower())
    found, at, longest = [], 0, max(word.count(" ") for word in words) + 1
    while at < len(said):
        for size in range(longest, 0, -1):
            phrase = _known(" ".join(said[at : at + size]), words)
            if phrase is not None:
                found += [words[phrase]] if words[phrase] else []
                at += size
                break
        else:
            at += 1
    return found


def _known(phrase: str, words: Mapping[str, str]) -> str | None:
    """The phrase as the vocabulary spells it; its last word may be a plural."""
    *before, last = phrase.split(" ")
    singular = [last, IRREGULAR.get(last, ""), last.removesuffix("s"), last.removesuffix("es")]
    spelled = (" ".join([*before, one]) for one in singular if one)
    return next((one for one in spelled if one in words), None)


def grade(text: str, sample: Sample, words: Mapping[str, str]) -> dict[str, tuple[float, float]]:
    """CHAIR_i and CHAIR_s; and what they are bought with: how many of the objects are named, and how long the text is."""
    there, said = set(sample.reference["objects"]), mentions(text, words)
    invented = sum(name not in there for name in said)
    return {
        "chair_i": (invented, len(said)),
        "chair_s": (float(invented > 0), 1),
        "object_recall": (len(there & set(said)), len(there)),
        "words": (len(text.split()), 1),
    }
