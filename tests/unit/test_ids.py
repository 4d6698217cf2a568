import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmplat.ids import canonical_json, content_id, folder_id, seed_from

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(values)
def test_canonical_json_reads_back_as_an_equal_value(value):
    assert json.loads(canonical_json(value)) == value


@given(st.dictionaries(st.text(), st.integers(), min_size=2))
def test_the_order_of_keys_does_not_change_an_id(mapping):
    assert content_id(mapping) == content_id(dict(reversed(mapping.items())))


def test_a_number_has_one_id_however_it_is_spelled():
    assert content_id({"t": 1}) == content_id({"t": 1.0})


def test_ids_never_move():
    # Evidence on disk is named by these: a change here asks everything again.
    assert content_id({"kind": "noise", "params": {"step": 500, "seed": 0}, "version": 1}) == "22f237054a6fd2ab"


def test_nan_and_objects_have_no_id():
    with pytest.raises(ValueError, match="Out of range"):
        content_id(float("nan"))
    with pytest.raises(TypeError, match="cannot name a set"):
        content_id({1, 2})


def test_seeds_depend_on_every_part_and_on_nothing_else():
    assert seed_from("a", 0) == seed_from("a", 0)
    assert len({seed_from("a", 0), seed_from("a", 1), seed_from("b", 0)}) == 3


def test_a_folder_is_named_by_contents_and_names_but_not_by_its_card(tmp_path):
    (tmp_path / "a").write_text("1")
    before = folder_id(tmp_path)
    (tmp_path / "card.json").write_text("{}")
    assert folder_id(tmp_path) == before
    (tmp_path / "a").rename(tmp_path / "b")
    assert folder_id(tmp_path) != before
