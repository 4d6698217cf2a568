"""Multiple choices as benchmarks publish them: their options can change places."""

from mmplat.views import catalog


def test_options_of_mmmu_are_found(shelf, prepared):
    samples, _ = prepared("mmmu", shelf.mmmu())
    kind = catalog.get("rotated-options")
    for one in samples:
        assert kind.misfit(one, {"by": 1}) is None
        last = one.options[-1]
        assert f"(A) {last}\n" in kind.rewrite(one, {"by": 1}, 0)
    assert {len(one.options) for one in samples} == {2, 3}
