import json
from pathlib import Path

import pytest

from mmplat.errors import ConfigError, DuplicateName, UnknownName
from mmplat.grid import json_schema, load_grid, parse_grid

HEAD = "campaign: a\nmodels: [fake]\nsuites: [world-objects]\n"


@pytest.mark.parametrize(
    ("text", "kind", "message"),
    [
        (
            HEAD + "methds: [naive]\n",
            ConfigError,
            r"grid:4: unknown key 'methds'. Did you mean 'methods'\? Allowed: campaign,",
        ),
        (
            "campaign: a\nmodels: [fake]\nsuites:\n - name: world-objects\n   limt: 3\n",
            ConfigError,
            "grid:5: unknown key 'limt'",
        ),
        (HEAD + "methods: [naive,\n  vdc]\n", UnknownName, r"'vdc' in grid:5 \(methods\[1\]\). Did you mean 'vcd'"),
        (HEAD.replace("fake", "fakk"), UnknownName, r"Unknown model 'fakk' in grid:2 \(models\[0\]\)"),
        (HEAD.replace("world-objects", "world-object"), UnknownName, "Did you mean 'world-objects'"),
        (HEAD + "decodings: [t0]\n", ConfigError, "grid:4 .* has temperature 0. Allowed: above 0; use 'greedy'"),
        (HEAD + "decodings: [{top_p: 1.5}]\n", ConfigError, "top_p 1.5. Allowed: from 0 to 1"),
        (HEAD + "decodings: [{temperature: hot}]\n", ConfigError, "grid:4: decodings.0.temperature = 'hot'"),
        (HEAD + "decodings: [warm]\n", ConfigError, "Unknown decoding 'warm'.*Allowed: 'greedy', 'sample'"),
        (HEAD + "limit: 0\n", ConfigError, "grid:4: limit = 0"),
        (
            HEAD + "methods: [{name: vcd, params: {gamma: 1}}]\n",
            ConfigError,
            "has no parameter gamma. Allowed: alpha, beta, step",
        ),
        (HEAD + "methods: [{name: vcd, params: {beta: 2}}]\n", ConfigError, "beta = 2. Allowed: numbers from 0 to 1"),
        (
            HEAD + "methods: [{name: vcd, params: {step: 1000}}]\n",
            ConfigError,
            "no step 1000. Allowed: whole numbers from 0 to 999",
        ),
        (
            HEAD + "methods: [naive, naive]\n",
            DuplicateName,
            r"'naive' in grid:4 \(methods\[1\]\) stands on its axis twice",
        ),
        (HEAD + "models: [fake]\n", DuplicateName, "grid:4: key 'models' is given twice .first in line 2"),
        (HEAD + "models: [fake\n", ConfigError, "is not valid YAML"),
        ("campaign: &x [*x]\n", ConfigError, "an anchor .* stands inside itself"),
        ("- a\n", ConfigError, "a grid is a mapping with the keys campaign"),
        ("", ConfigError, "a grid is a mapping"),
        ("models: fake\n", ConfigError, "(?s)key 'campaign' is missing.*models = 'fake'"),
        (HEAD.replace("fake", "{name: x, path: /no/such}"), ConfigError, "no local folder in grid:2"),
    ],
)
def test_a_mistake_is_named_by_line_value_and_what_is_allowed(text, kind, message):
    with pytest.raises(kind, match=message):
        parse_grid(text)


def test_a_grid_file_that_is_not_there_says_where_examples_are(tmp_path):
    with pytest.raises(ConfigError, match="There is no grid file .* examples lie in config/grids/"):
        load_grid(tmp_path / "none.yaml")


def test_parameters_show_in_names_only_where_they_differ():
    grid = parse_grid(HEAD + "decodings: [{temperature: 0.7, top_k: 50, top_p: 0.9}, {temperature: 1}]\n")
    assert [d.name for d in grid.decodings] == ["t0.7-k50-p0.9", "sample"]


def test_the_limit_of_a_suite_and_of_the_grid_both_hold():
    grid = parse_grid("campaign: a\nmodels: [fake]\nsuites: [{name: world-objects, limit: 5, as: five}]\nlimit: 9\n")
    assert (grid.suites[0].name, grid.suites[0].limit) == ("five", 5)


@pytest.mark.parametrize("path", [Path("config/grid.yaml"), *sorted(Path("config/grids").glob("*.yaml"))], ids=str)
def test_every_grid_that_ships_is_valid(path):
    assert load_grid(path).cells > 0


def test_the_schema_for_editors_is_up_to_date():
    assert json.loads(Path("config/grid.schema.json").read_text()) == json_schema()


def test_how_long_an_answer_in_words_may_be():
    entries = [
        ("world-captions", 16),  # the suite's own
        ("{name: world-captions, longest: 5}", 5),
        ("{name: world-captions, answers: text}", 16),
        ("{name: world-objects, answers: text}", 16),
        ("{name: world-objects, answers: text, longest: 3}", 3),
    ]
    for entry, longest in entries:
        grid = parse_grid(f"campaign: a\nmodels: [tiny]\nsuites: [{entry}]\n")
        assert (grid.suites[0].answers, grid.suites[0].longest) == ("text", longest)


def test_a_length_of_answers_that_nobody_writes_is_refused():
    with pytest.raises(ConfigError, match=r"its labels are read: nothing is written. Give it `answers: text` too"):
        parse_grid("campaign: a\nmodels: [tiny]\nsuites: [{name: world-objects, longest: 3}]\n")


@pytest.mark.parametrize(
    ("param", "least"), [("n: many", 1), ("n: -3", 1), ("n: 3.7", 1), ("n: 0", 1), ("seed: x", 0), ("seed: true", 0)]
)
def test_sizes_and_seeds_of_suites_are_whole_numbers(param, least):
    name = param.split(":")[0]
    with pytest.raises(
        ConfigError, match=rf"Suite 'world-objects' in a.yaml:3 .* has {name} = .*Allowed: whole numbers from {least}"
    ):
        parse_grid(
            f"campaign: a\nmodels: [fake]\nsuites: [{{name: world-objects, params: {{{param}}}}}]\n", source="a.yaml"
        )
