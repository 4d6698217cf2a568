"""The generic family serves what it found to be as transformers says, and refuses the rest with what it found."""

import logging

import pytest
import torch
from checkpoints import CHECKPOINTS

from mmplat.contracts import Subject
from mmplat.errors import ModelError
from mmplat.models import bind, families
from mmplat.models.base import family_of
from mmplat.models.generic import Generic


@pytest.fixture
def generic_spec(tmp_path):
    def make(name):
        CHECKPOINTS[name](tmp_path)
        return bind(name, {"path": str(tmp_path), "family": "generic"})

    return make


@pytest.mark.parametrize("name", ["aya-vision", "llava-onevision"])
def test_an_architecture_without_a_family_is_asked_in_the_generic_way(tmp_path, name):
    CHECKPOINTS[name](tmp_path)
    assert family_of(str(tmp_path)) == "generic"


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("qwen2-vl", "says other things than transformers does"),  # positions along three axes
        ("gemma3", "says other things than transformers does"),  # a picture's tokens attend both ways
        ("qwen3-vl", "deepstack_features"),
        ("mllama", "mm_encoder_outputs"),
        ("instructblip", "a chat template"),
    ],
)
def test_what_works_otherwise_is_not_served(generic_spec, name, found):
    with pytest.raises(ModelError, match=found) as refusal:
        Generic(generic_spec(name))
    assert "Write a family file" in str(refusal.value)


def test_it_says_what_was_refused_and_what_could_not_be_verified(generic_spec, caplog):
    with caplog.at_level(logging.WARNING, logger="mmplat"):
        subject = Subject(Generic(generic_spec("llava-onevision")))
    assert "about several pictures it says other things" in caplog.text
    assert "Not verified" in caplog.text
    assert "2 pictures" in subject.model.refuses(subject.ask(pictures=subject.pictures[:2]))
    assert subject.model.refuses(subject.ask()) is None


class Mixing(Generic):
    """Rows of a batch get each other's positions."""

    def padded(self, batch):
        padded = super().padded(batch)
        if len(batch) > 1:
            padded.positions = torch.zeros_like(padded.positions)
        return padded


class Seeing(Generic):
    """Its chat template wants a picture."""

    def render(self, question, pictures):
        if not pictures:
            raise ValueError("a picture is required")
        return super().render(question, pictures)


def test_rows_that_do_not_say_in_a_batch_what_they_say_alone_are_asked_one_by_one(generic_spec):
    spec = generic_spec("aya-vision")
    assert families.get("generic").load(spec).batch_limit is None
    assert Mixing(spec).batch_limit == 1


def test_without_a_forward_without_a_picture_those_views_have_that_reason(generic_spec):
    subject = Subject(Seeing(generic_spec("aya-vision")))
    for reason in (
        subject.model.unavailable("none"),
        subject.model.unavailable("unk"),
        subject.model.refuses(subject.ask(pictures=())),
    ):
        assert "a picture is required" in reason
    assert subject.model.unavailable("noise") is None


class Dated(Generic):
    """Its chat template adds a turn where there is no picture."""

    def render(self, question, pictures):
        return super().render(question, pictures).replace("<|USER_TOKEN|>", "<|USER_TOKEN|>" if pictures else "Friday.")


def test_a_template_that_changes_more_than_the_picture_is_not_taken_for_none(generic_spec):
    spec = generic_spec("aya-vision")
    dated, plain = Dated(spec), Generic(spec)
    assert plain.render_blind("Why?", 1) == plain.render("Why?", 0)
    assert dated.render_blind("Why?", 1) == plain.render("Why?", 0) != dated.render("Why?", 0)
