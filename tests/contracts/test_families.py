"""Every family on a tiny random checkpoint of its real architecture, loaded the way a real one is."""

import pytest
from checkpoints import CHECKPOINTS

from mmplat.contracts import Subject, catalog, check
from mmplat.models import bind, families

MAY_NOT_APPLY = {
    ("instructblip", "none"): "without a picture",
    ("instructblip", "text"): "without a picture",
    ("instructblip", "pictures"): "takes 1",
    ("llava-onevision", "pictures"): "takes 1",
    **{
        (name, contract): reason
        for name, reason in (("mllama", "no image tokens"), ("aya-vision", "nobody"), ("llava-onevision", "nobody"))
        for contract in ("inside", "keeps", "apart", "restored")
    },
}
"""What a family cannot do, and a word of its reason. Everything else must hold: a new reason is a decision, not an accident."""


@pytest.fixture(scope="session", params=sorted(CHECKPOINTS))
def family(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("checkpoints") / request.param
    CHECKPOINTS[request.param](folder)
    spec = bind(request.param, {"path": str(folder)})
    return request.param, Subject(families.get(spec.family).load(spec))


@pytest.mark.parametrize("contract", sorted(catalog))
def test_the_contract_holds(family, contract):
    name, subject = family
    verdict = check(subject, catalog.get(contract))
    if (name, contract) in MAY_NOT_APPLY:
        assert verdict.holds is None
        assert MAY_NOT_APPLY[name, contract] in verdict.said
    else:
        assert verdict.holds, verdict.said
