"""What is added to embeddings: how much, where, and what it leaves behind."""

import pytest
import torch

from mmplat.models import families
from mmplat.models.teaching import Teachable
from mmplat.recipes import Adversarial, Losses
from mmplat.training.adversary import attack, frozen, places
from mmplat.training.data import Batches, items_of
from mmplat.training.objective import loss_of

KINDS = ("raw-gradient", "sign-pgd", "gaussian")


@pytest.fixture
def job(job_of):
    return job_of()


@pytest.fixture
def taught(job):
    return Teachable(families.get(job.base.family).load(job.base))


@pytest.fixture
def rows(job, place):
    items = [item for part in job.data for item in items_of(part, place)]
    pools = {family: [one for one in items if one.family == family] for family in job.recipe.batch}
    return Batches(pools, job).rows(0)


@pytest.fixture
def lesson(taught, rows):
    return taught.lesson([row.way.ask for row in rows], [row.answer for row in rows])


def found(taught, lesson, rows, kind, loss=None, **settings):
    wanted = Adversarial(kind=kind, epsilon=0.02, alpha=0.01, steps=3, **settings)
    generator = torch.Generator().manual_seed(1)
    mask = places(taught, lesson, rows)
    by_answer = loss or (lambda added: -taught.says(lesson, added=added).log_softmax(-1)[..., 5].sum())
    return attack(wanted, mask, taught.width, by_answer, generator, taught.model.network), mask


def test_words_are_reached_where_the_picture_decides_and_the_picture_where_words_do(taught, lesson, rows):
    mask = places(taught, lesson, rows)
    picture = lesson.padded.ids == taught.model.network.config.image_token_id
    for row, its in enumerate(rows):
        decisive = picture[row] if its.family == "image" else ~picture[row]
        assert mask[row].any()
        assert not (mask[row] & decisive).any()
    assert not (mask & lesson.padded.answers.bool()).any()
    assert not (mask & ~lesson.padded.attention.bool()).any()


def test_the_template_around_a_question_is_not_reached(taught, lesson, rows):
    words = taught.on_words(lesson)
    for row, its in enumerate(rows):
        reached = taught.model.say(lesson.padded.ids[row][words[row]].tolist())
        assert reached == taught.model.say(taught.model.tokenizer(its.way.sample.question)["input_ids"])


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_added_outside_the_mask(taught, lesson, rows, kind):
    attacked, mask = found(taught, lesson, rows, kind)
    assert attacked.added[~mask].abs().max() == 0
    assert attacked.added[mask].abs().min(dim=1).values.max() > 0


@pytest.mark.parametrize("kind", KINDS[:2])
def test_no_coordinate_leaves_the_box(taught, lesson, rows, kind):
    attacked, _ = found(taught, lesson, rows, kind)
    assert attacked.added.abs().max() <= 0.02
    assert attacked.reach > 0


def test_a_row_with_an_empty_mask_says_bit_by_bit_the_same(taught, lesson, rows):
    mask = places(taught, lesson, rows)
    mask[0] = False
    with torch.no_grad():
        plain = taught.says(lesson)
        added = torch.ones(*mask.shape, taught.width) * mask[..., None]
        said = taught.says(lesson, added=added)
    assert torch.equal(said[0], plain[0])
    assert not torch.equal(said[1], plain[1])


def test_steps_by_the_sign_do_more_harm_than_the_random_start(taught, lesson, rows):
    def harm(added):
        told = torch.nn.functional.cross_entropy(
            taught.says(lesson, added=added).flatten(0, 1), lesson.targets.flatten(), reduction="none"
        )
        return (told.view_as(lesson.real) * lesson.real).sum()

    mask = places(taught, lesson, rows)
    worst = {}
    for steps in (1, 8):
        wanted = Adversarial(kind="sign-pgd", epsilon=0.05, alpha=0.01, steps=steps)
        one = attack(wanted, mask, taught.width, harm, torch.Generator().manual_seed(0), taught.model.network)
        worst[steps] = float(harm(one.added).detach())
    assert worst[8] > worst[1] > float(harm(torch.zeros(*mask.shape, taught.width)).detach())


def test_flags_are_as_before_whatever_happens(taught):
    network = taught.model.network
    taught.eye.requires_grad_(False)
    before = [weight.requires_grad for weight in network.parameters()]
    with pytest.raises(RuntimeError), frozen(network):
        assert not any(weight.requires_grad for weight in network.parameters())
        raise RuntimeError
    assert [weight.requires_grad for weight in network.parameters()] == before
    assert True in before
    assert False in before


def test_the_search_leaves_no_gradient_on_weights(taught, rows):
    wanted = Losses.model_validate({"adversarial": {"kind": "sign-pgd"}, "consistency": {"kind": "js"}})
    loss_of(taught, rows, wanted, torch.Generator().manual_seed(0))
    assert all(weight.grad is None for weight in taught.model.network.parameters())


def test_the_loss_is_the_sum_of_its_weighed_parts(taught, rows):
    def told(**losses):
        return loss_of(taught, rows, Losses.model_validate(losses), torch.Generator().manual_seed(0)).parts

    sft = told()["loss"]
    both = told(
        adversarial={"kind": "raw-gradient", "weight": 0.5},
        consistency={"kind": "kl", "weight": 0.25, "reduction": "sum"},
    )
    assert both["loss"] == pytest.approx(sft + 0.5 * both["adversarial"] + 0.25 * both["consistency"], rel=1e-5)
    assert both["consistency"] > 0
