"""Pictures in tiles: the vision tower's memory is bounded, and nobody gets another's tiles."""

import numpy as np
import pytest
import torch
from checkpoints_a import CHECKPOINTS

from mmplat.models import bind, families
from mmplat.models._tiles import TILES_AT_ONCE, number_of_tiles, together


def picture(height, width):
    return np.random.default_rng(height).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.mark.parametrize(
    ("tiles", "groups"),
    [
        ([], []),
        ([10, 20, 30], [[10, 20, 30]]),
        ([40, 24, 1], [[40, 24], [1]]),
        ([5, 100, 5], [[5], [100], [5]]),  # a picture is never parted
    ],
)
def test_neighbours_go_together_up_to_the_bound(tiles, groups):
    processed = [{"pixel_values": np.zeros((1, count, 3, 2, 2), np.float32)} for count in tiles]
    assert [[one["pixel_values"].shape[1] for one in some] for some in together(processed)] == groups


@pytest.mark.parametrize("name", ["llava_next", "idefics3", "internvl"])
def test_a_picture_among_many_is_seen_as_it_is_alone(name, tmp_path):
    CHECKPOINTS[name](tmp_path)
    spec = bind(name, {"path": str(tmp_path)})
    model = families.get(spec.family).load(spec)
    processed = model.process([picture(30 + 2 * at, 90 - at) for at in range(30)])
    assert sum(number_of_tiles(one) for one in processed) > TILES_AT_ONCE
    with torch.inference_mode():
        among = model.see(processed)
        alone = [model.see([one])[0] for one in processed]
    for one, same in zip(among, alone, strict=True):
        assert one.shape == same.shape
        assert float((one - same).abs().max()) < 1e-5


def test_prompts_for_smolvlm_follow_its_own_rule_without_the_packages_that_its_class_wants(tmp_path):
    from transformers.models.smolvlm.processing_smolvlm import get_image_prompt_string

    CHECKPOINTS["smolvlm"](tmp_path)
    spec = bind("smolvlm", {"path": str(tmp_path)})
    model = families.get(spec.family).load(spec)
    for one in model.process([picture(40, 70), picture(90, 30), picture(20, 20)]):
        rows, columns = int(one["rows"][0, 0]), int(one["cols"][0, 0])
        theirs = get_image_prompt_string(rows, columns, 4, "<fake_token_around_image>", "<image>", "<global-img>")
        assert model.replacement(one) == theirs
