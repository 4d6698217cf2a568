import json
import subprocess
import sys
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmplat.artifacts import Results
from mmplat.errors import ConfigError
from mmplat.grid import Grid, MethodEntry, parse_grid
from mmplat.methods import bind as bind_method
from mmplat.methods import catalog as methods
from mmplat.plan import describe, make_plan, read_plan, write_plan
from mmplat.records import DecodingSpec, ModelSpec, SuiteSpec


def big_grid(models: int, suites: int, decodings: int, n_methods: int) -> Grid:
    bound = {name: bind_method(name) for name in methods}
    plain = [MethodEntry(name=name) for name, m in bound.items() if not (m.written_only or m.choices or m.cued)]
    tuned = [MethodEntry(name="vdd-none", params={"alpha": 0.1 * i}) for i in range(2, n_methods)]
    return Grid(
        campaign="big",
        models=tuple(ModelSpec(name=f"m{i}", family="fake") for i in range(models)),
        suites=tuple(
            SuiteSpec(name=f"s{i}", kind="world-objects", version=1, params={"n": 900, "seed": i})
            for i in range(suites)
        ),
        decodings=tuple(DecodingSpec(name=f"d{i}", temperature=0.05 * (i + 1)) for i in range(decodings)),
        methods=tuple((plain + tuned)[:n_methods]),
        seeds=(0,),
        views=(),
        text="",
        source="big",
    )


@given(
    st.lists(st.sampled_from(["naive", "vcd", "posthoc-none", "posthoc-noise", "apc-only"]), min_size=1, unique=True),
    st.lists(st.integers(0, 5), min_size=1, max_size=3, unique=True),
    st.lists(st.sampled_from(["greedy", "sample", "t0.5"]), min_size=1, unique=True),
)
def test_planned_and_skipped_are_the_whole_grid(names, seeds, decodings):
    plan = make_plan(
        parse_grid(
            f"campaign: a\nmodels: [fake]\nsuites: [world-objects]\nmethods: {names}\nseeds: {seeds}\ndecodings: {decodings}\n"
        )
    )
    assert plan.planned + sum(s.cells for s in plan.skipped) == plan.grid.cells
    listed = [cell for pair in plan.pairs for cell in plan.cells(pair)]
    assert len(set(listed)) == len(listed) == plan.planned


def test_a_second_seed_of_a_method_without_randomness_is_skipped_with_its_reason(planned):
    plan = planned("campaign: a\nmodels: [fake]\nsuites: [world-objects]\nmethods: [naive, vcd]\nseeds: [0, 1]\n")
    assert [(s.method, s.seed, s.reason) for s in plan.skipped] == [
        ("naive", 1, "no random view, so seed 1 would repeat seed 0")
    ]
    assert [v.name for v in plan.pairs[0].views] == ["image", "noise", "noise-s1"]


def test_views_are_asked_once_however_many_methods_need_them(planned):
    plan = planned(
        "campaign: a\nmodels: [fake]\nsuites: [world-objects]\ndecodings: [greedy, sample]\n"
        "methods: [naive, posthoc-none, vdd-none, vdd-both]\nlimit: 10\n"
    )
    assert [v.name for v in plan.pairs[0].views] == ["image", "none", "unk"]
    assert plan.forwards == 30
    assert plan.forwards_cell_by_cell == 10 * 2 * (1 + 2 + 2 + 3)


def test_an_impossible_view_is_skipped_with_the_familys_reason(planned, monkeypatch):
    from mmplat.models import Family, families
    from mmplat.models.fake import Fake

    no_noise = Family("fake", "", Fake, unavailable=lambda kind: "it has no pixels" if kind == "noise" else None)
    monkeypatch.setitem(families._items, "fake", no_noise)
    plan = planned("campaign: a\nmodels: [fake]\nsuites: [world-objects]\nmethods: [naive, vcd]\n")
    assert plan.skipped[0].reason == "view 'noise' is not available: it has no pixels"
    assert plan.planned == 1


def test_batches_do_not_change_with_what_is_only_decided(planned):
    text = (
        "campaign: a\nmodels: [fake]\nsuites: [world-objects]\nmethods: [naive, vdd-none]\ndecodings: [greedy, t0.7]\n"
    )
    more = text.replace("vdd-none", "vdd-none, posthoc-none").replace("t0.7", "t0.7, t0.2, k5")
    assert [b.key for b in planned(text).batches] == [b.key for b in planned(more).batches]


def test_a_plan_that_says_nothing_new_rewrites_no_file(planned, tmp_path):
    plan = planned("campaign: a\nmodels: [fake]\nsuites: [world-objects]\n")
    results = Results(tmp_path)
    path = write_plan(plan, results)
    times = {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*.json")}
    write_plan(plan, results)
    assert {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*.json")} == times
    assert describe(read_plan(path)) == describe(plan) == json.loads(path.read_text())


def test_names_that_would_share_a_folder_are_refused(planned):
    with pytest.raises(ConfigError, match="'a b' and 'a/b' would share the folder 'a_b'"):
        planned(
            "campaign: a\nmodels: [fake]\nsuites: [{name: world-objects, as: a b}, {name: world-objects, as: a/b}]\n"
        )


def test_a_campaign_whose_folder_is_anothers_is_refused_and_leaves_that_plan(planned, tmp_path):
    grid = "campaign: {}\nmodels: [fake]\nsuites: [world-objects]\n"
    path = write_plan(planned(grid.format("a_b")), Results(tmp_path))
    before = path.read_text()
    with pytest.raises(ConfigError, match=r"Campaign 'a/b' would lie in .*a_b, which is that of campaign 'a_b'"):
        write_plan(planned(grid.format("a/b")), Results(tmp_path))
    assert path.read_text() == before


def test_six_million_cells_are_planned_in_less_than_a_gigabyte():
    code = (
        "import sys; sys.path.insert(0, 'tests/unit'); from test_plan import big_grid; from mmplat.plan import *\n"
        "plan = make_plan(big_grid(200, 30, 51, 20)); describe(plan)\n"
        # Not getrusage: what it says of a fresh process begins with the size of the one that started it.
        "peak = [line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')][0]\n"
        "print(plan.grid.cells, plan.planned, peak)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    cells, planned, kilobytes = (int(word) for word in done.stdout.split())
    assert cells == planned == 6_120_000
    assert kilobytes < 1_000_000


HEAVY = ("torch", "transformers", "mlflow", "streamlit", "sqlalchemy", "duckdb", "snakemake")


def test_planning_imports_nothing_heavy():
    code = (
        "import sys; from pathlib import Path; import mmplat.cli.app\n"
        "from mmplat.grid import load_grid; from mmplat.plan import describe, make_plan\n"
        "describe(make_plan(load_grid(Path('config/grids/demo.yaml'))))\n"
        f"print([name for name in {HEAVY} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_the_demo_has_the_promised_size(planned):
    from pathlib import Path

    plan = planned(Path("config/grids/demo.yaml").read_text())
    axes = Counter(models=len(plan.grid.models), suites=len(plan.grid.suites), decodings=len(plan.grid.decodings))
    assert axes["models"] >= 2
    assert axes["suites"] >= 3
    assert axes["decodings"] >= 6
    assert len(plan.grid.methods) >= 10
    assert plan.planned == plan.grid.cells
