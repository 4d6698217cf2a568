"""Decoding sets: LLaVA-Align's sweep, by name in a grid."""

import pytest

from mmplat.decoding import parse_decoding
from mmplat.decoding.configs import sets
from mmplat.errors import DuplicateName
from mmplat.grid import parse_grid

HEAD = "campaign: c\nmodels: [fake]\nsuites: [world-objects]\n"
SWEEP = sets["llava-align-sweep"]


def names(decodings):
    return [d.name for d in parse_grid(HEAD + f"decodings: {decodings}\n").decodings]


def test_the_sweep_has_the_papers_settings():
    found = [parse_decoding(name) for name in SWEEP]
    assert len(found) == 1 + 20 + 21 + 9
    assert [d.temperature for d in found[1:21]] == pytest.approx([0.05 * i for i in range(1, 21)])
    assert [d.top_p for d in found[22:42]] == pytest.approx([0.05 * i for i in range(1, 21)])
    assert [d.top_k for d in found[42:]] == [1, 2, 5, 10, 20, 50, 100, 200, 500]


def test_the_settings_in_doubt_are_what_they_do():
    same = {name: parse_decoding(name).settings for name in ("p0", "greedy", "t1", "sample")}
    assert same["p0"] == same["greedy"]
    assert same["t1"] == same["sample"]


def test_a_set_stands_for_its_members_beside_single_names():
    assert names("[llava-align-sweep]") == list(SWEEP)
    assert names("[greedy, llava-align-sweep, t0.2, t3]") == ["greedy", *SWEEP, "t3"]


@pytest.mark.parametrize(
    ("decodings", "error"),
    [
        ("[llava-align-sweep, llava-align-sweep]", "stands on its axis twice"),
        ("[{name: t0.2, temperature: 0.3}, llava-align-sweep]", "'t0.2' in grid:4 .*has other settings"),
    ],
)
def test_what_stands_twice_or_means_two_things_is_refused(decodings, error):
    with pytest.raises(DuplicateName, match=error):
        names(decodings)
