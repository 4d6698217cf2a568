"""Training sees what asking sees: the same tokens, the same logits, in every family; and a step makes the loss smaller."""

import pytest
import torch
from checkpoints import CHECKPOINTS

from mmplat.contracts import Subject
from mmplat.models import bind, families
from mmplat.models.teaching import Teachable
from mmplat.recipes import Recipe, TrainingJob
from mmplat.training import weights
from mmplat.training.losses import cross_entropy, weighted_mean

PLAIN = Recipe.model_validate(
    {
        "data": [{"suite": "world-objects"}],
        "batch": {"image": 1},
        "optimiser": {"lr": 1e-3},
        "schedule": {"steps": 1},
    }
)
NOT_AMONG_TOKENS = {"mllama"}
"""Families that look at pictures by layers of their own."""


@pytest.fixture(scope="module", params=sorted(CHECKPOINTS))
def subject(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("checkpoints") / request.param
    CHECKPOINTS[request.param](folder)
    spec = bind(request.param, {"path": str(folder)})
    return Subject(families.get(spec.family).load(spec))


@pytest.fixture
def taught(subject):
    return Teachable(subject.model)


def mean_loss(taught, lesson):
    told = cross_entropy(taught.says(lesson), lesson.targets)
    return weighted_mean(told, lesson.real, torch.ones(len(told)))


def test_a_lesson_is_the_prompt_of_asking_followed_by_the_answer(subject, taught):
    asks = [subject.ask(), subject.ask(number=1)]
    asked, lesson = subject.model.encode(asks), taught.lesson(asks, ["yes", "no"])
    for prompt, whole in zip(asked, lesson.prompts, strict=True):
        assert whole.ids[: prompt.length] == prompt.ids
        assert whole.answer == whole.length - prompt.length > 0
        assert whole.ids[-1] == subject.model.tokenizer.eos_token_id


def test_the_first_target_is_chosen_from_the_row_that_asking_reads(subject, taught):
    asks = [subject.ask(), subject.ask(number=1)]
    read = subject.model.forward(subject.model.encode(asks))
    with torch.no_grad():
        lesson = taught.lesson(asks, ["yes", "no no no"])
        said = taught.says(lesson)
    first = lesson.real.argmax(dim=1)
    ours = said[torch.arange(2), first]
    if not subject.model.pad_safe:
        ours, read = ours[1:], read[1:]  # the longest row has no padding
    assert (ours - read).abs().max() <= 1e-4 * read.abs().max().clamp(min=1)
    wanted = [ids[0] for ids in subject.model.continuations(("yes", "no"))]
    assert lesson.targets[torch.arange(2), first].tolist() == wanted


def test_steps_on_one_batch_lower_its_loss_and_leave_the_vision_tower_alone(subject, taught):
    base = bind("base", {"family": subject.model.family, "path": "somewhere/else"})
    weights.begin(taught, TrainingJob(name="plain", base=base, base_content=None, recipe=PLAIN, data=()))
    before = [weight.clone() for weight in taught.eye.parameters()]
    learning = [weight for weight in taught.model.network.parameters() if weight.requires_grad]
    optimiser = torch.optim.SGD(learning, lr=0.01)
    losses = []
    for _ in range(3):
        loss = mean_loss(taught, taught.lesson([subject.ask()], ["yes"]))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    assert losses[2] < losses[1] < losses[0]
    assert all(torch.equal(one, other) for one, other in zip(before, taught.eye.parameters(), strict=True))
    assert all(one.grad is None for one in taught.eye.parameters())
    subject.model.network.eval()


def test_what_is_added_reaches_the_answer_and_nothing_is_left_behind(subject, taught):
    lesson = taught.lesson([subject.ask()], ["yes"])
    with torch.no_grad():
        before = taught.says(lesson)
        added = torch.zeros(*lesson.padded.ids.shape, taught.width)
        assert torch.equal(taught.says(lesson, added=added), before)
        words = taught.on_words(lesson)
        assert words.any()
        assert not (words & lesson.padded.answers.bool()).any()
        changed = taught.says(lesson, added=added + words[..., None] * torch.linspace(-1, 1, taught.width))
        assert (changed - before).abs().max() > 1e-3
        assert torch.equal(taught.says(lesson), before)


def test_places_of_a_picture_are_known_or_refused(subject, taught):
    lesson = taught.lesson([subject.ask()], ["yes"])
    if subject.model.family in NOT_AMONG_TOKENS:
        with pytest.raises(Exception, match="not among the tokens"):
            taught.on_picture(lesson)
    else:
        picture = taught.on_picture(lesson)
        assert picture.any()
        assert not (picture & taught.on_words(lesson)).any()
