"""The parts of the training, and short runs of it compared with recorded figures."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from mmplat.errors import ConfigError
from mmplat.world.training import train
from mmplat.world.training_rows import ObjectQuestions, Segment, Taste, ask, encode, fact_segment, name_segments

torch = pytest.importorskip("torch")

# Recorded on one thread with torch 2.13 on x86-64: (first loss, mean of the last six).
TEXT_LOSS = (7.760, 1.128)
EYE_LOSS = (10.800, 3.828)
PARAMETERS = 1_093_760
# A twentieth of a training learns labels, trust in hints and the prior, and cannot see yet: (value, tolerance).
SHORT_FIGURES = {
    "objects: label mass": (0.998, 0.02),
    "objects random: true hint": (1.0, 0.1),
    "objects random: flipped by misleading hints": (1.0, 0.2),
    "objects popular: no image": (0.283, 0.15),
}


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def _segments() -> list[Segment]:
    from mmplat.world.scenes import sample_objects

    source, taste = random.Random(3), Taste(checks=6, hints=0.5, hints_right=0.9, blind=0.3)
    scene = sample_objects(np.random.default_rng(3))
    made = ObjectQuestions(taste, source).segments(scene)
    return [*made, *name_segments(taste, source, 2, 1), fact_segment(source)]


def test_training_reads_text_exactly_as_the_tokenizer_does() -> None:
    from mmplat.world.vlm import build_processor, prompt

    processor = build_processor()
    question = "Hint: the answer is B. What is it?\nA pony\nB mule\nC horse\nD moose\nLetter only."
    ids = processor.tokenizer(prompt(processor, question, with_image=False))["input_ids"]
    assert tuple(ids[2:-1]) == encode(question)
    assert ask(question, "B").ids[:-1] == tuple(ids[2:])


def test_a_packed_row_gives_the_logits_of_separate_sequences() -> None:
    from mmplat.world.training_packing import answer_logits, pack
    from mmplat.world.vlm import build_model

    model, segments = build_model(0), _segments()
    features = torch.randn(1, 16, 128, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        together = answer_logits(model, features, pack([segments]))
        alone = torch.cat([answer_logits(model, features, pack([[segment]])) for segment in segments])
    assert torch.allclose(together, alone, atol=1e-4)


def test_a_blind_segment_is_what_the_saved_model_computes_without_a_picture() -> None:
    from mmplat.world.training_packing import answer_logits, pack
    from mmplat.world.vlm import build_model, build_processor, prompt

    model, processor = build_model(0), build_processor()
    segment = ask("Is there a cat?", "yes", sees_image=False)
    with torch.no_grad():
        packed = answer_logits(model, torch.randn(1, 16, 128), pack([[segment]]))[0]
        inputs = processor(text=[prompt(processor, "Is there a cat?", with_image=False)], return_tensors="pt")
        assert torch.allclose(model(**inputs).logits[0, -1], packed, atol=1e-4)


def test_questions_follow_the_answer_prior_of_the_taste() -> None:
    from mmplat.world.scenes import sample_objects
    from mmplat.world.training_rows import token_ids
    from mmplat.world.vocabulary import NOUNS, is_frequent

    asker = ObjectQuestions(Taste(yes_if_frequent=0.9, yes_if_rare=0.2, choices=0), random.Random(0))
    rng = np.random.default_rng(0)
    ids = token_ids()
    nouns = {ids[noun]: is_frequent(index) for index, noun in enumerate(NOUNS)}
    said: dict[bool, list[bool]] = {True: [], False: []}
    for _ in range(1500):
        for segment in asker.segments(sample_objects(rng)):
            frequent = next(nouns[token] for token in segment.ids if token in nouns)
            said[frequent].append(segment.ids[-1] == ids["yes"])
    assert np.mean(said[True]) == pytest.approx(0.9, abs=0.02)
    assert np.mean(said[False]) == pytest.approx(0.2, abs=0.03)


def test_muon_makes_every_direction_of_a_gradient_about_equally_long() -> None:
    from mmplat.world.training_optimiser import orthogonalise

    stack = torch.randn(3, 24, 40, generator=torch.Generator().manual_seed(1))
    lengths = torch.linalg.svdvals(orthogonalise(stack))
    assert lengths.min() > 0.5
    assert lengths.max() < 1.3


def test_an_unknown_recipe_is_answered_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="Known: tiny, tiny-biased"):
        train(tmp_path / "x", seed=0, recipe="huge")


def test_ctrl_c_leaves_nothing_behind(tmp_path: Path) -> None:
    def interrupt(stage: str, done: int, total: int) -> None:
        if stage == "text" and done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "model", seed=0, scale=0.01, progress=interrupt)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_equal_seeds_give_equal_weights(tmp_path: Path) -> None:
    first, second, other = (tmp_path / name for name in ("first", "second", "other"))
    for folder, seed in ((first, 3), (second, 3), (other, 4)):
        train(folder, seed=seed, scale=0.004)
    weights = [(folder / "model.safetensors").read_bytes() for folder in (first, second, other)]
    assert weights[0] == weights[1]
    assert weights[0] != weights[2]


def test_a_short_text_stage_reaches_the_recorded_loss() -> None:
    from mmplat.world.training_concepts import concept_table, teach_words
    from mmplat.world.training_text import train_text
    from mmplat.world.vlm import build_model

    model, table = build_model(5), concept_table(5)
    teach_words(model, table)
    history = train_text(model, table, seed=5, steps=24)
    assert history[0] == pytest.approx(TEXT_LOSS[0], abs=0.02)
    assert np.mean(history[-6:]) == pytest.approx(TEXT_LOSS[1], abs=0.1)


def test_a_short_eye_stage_reaches_the_recorded_loss() -> None:
    from mmplat.world.training_concepts import concept_table
    from mmplat.world.training_eye import train_eye
    from mmplat.world.vlm import build_model

    history = train_eye(build_model(5), concept_table(5), seed=5, steps=24, pictures=200)
    assert history[0] == pytest.approx(EYE_LOSS[0], abs=0.02)
    assert np.mean(history[-6:]) == pytest.approx(EYE_LOSS[1], abs=0.1)


@pytest.mark.slow
def test_a_short_training_gives_a_checkpoint_that_answers_in_labels(tmp_path: Path) -> None:
    from mmplat.world.evaluation import evaluate
    from mmplat.world.vlm import read_card

    stages: dict[str, list[tuple[int, int]]] = {}
    folder = tmp_path / "model"
    card = train(
        folder,
        seed=5,
        scale=0.05,
        progress=lambda stage, done, total: stages.setdefault(stage, []).append((done, total)),
    )
    assert {stage: seen[-1] for stage, seen in stages.items()} == {
        "text": (25, 25),
        "eye": (55, 55),
        "grounded": (65, 65),
    }
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
    assert read_card(folder) == card
    assert card["parameters"] == PARAMETERS
    figures = evaluate(folder, n_object=60, n_spurious=4, seed=1951)
    for name, (value, tolerance) in SHORT_FIGURES.items():
        assert figures[name].value == pytest.approx(value, abs=tolerance), name


def test_a_folder_that_holds_something_else_is_refused_before_anything_is_trained(tmp_path: Path) -> None:
    """A checkpoint takes the place of its whole folder: `--out .` would be the end of it."""
    (tmp_path / "thesis.tex").write_text("years of work")
    (tmp_path / "card.json").write_text('{"name": "another model"}')
    with pytest.raises(ConfigError, match="did not make"):
        train(tmp_path, seed=1, scale=1e-6)
    assert (tmp_path / "thesis.tex").read_text() == "years of work"
    with pytest.raises(ConfigError, match="did not make"):
        train(tmp_path / "thesis.tex", seed=1, scale=1e-6)
