"""What a YAML file may hold where a number belongs: nothing that is read otherwise than it was meant."""

from typing import Annotated, get_args, get_origin

import pytest
from pydantic import BaseModel, ValidationError

from mmplat.building.settings import BuildSpec, parse_build
from mmplat.documents import Document
from mmplat.errors import ConfigError
from mmplat.grid import GridFile, parse_grid
from mmplat.misleading.notes import NotesFile
from mmplat.models.endpoint.settings import Settings
from mmplat.option_facts import FactsFile
from mmplat.recipes import Recipe

HEAD = "campaign: a\nmodels: [fake]\nsuites: [world-objects]\n"
WHOLE = "a whole number is needed, written like 50"
REAL = "a number is needed, written like 0.7"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("decodings: [{top_k: on}]", rf"a.yaml:4: decodings.0.top_k = 'on': {WHOLE}"),
        ("decodings: [{top_k: true}]", rf"top_k = True: {WHOLE}"),
        ("decodings: [{top_k: 1.5}]", rf"top_k = 1.5: {WHOLE}"),
        ("decodings: [{top_k: 50.0}]", rf"top_k = 50.0: {WHOLE}"),
        ("decodings: [{top_k: '50'}]", rf"top_k = '50': {WHOLE}"),
        ("decodings: [{temperature: yes}]", rf"a.yaml:4: decodings.0.temperature = 'yes': {REAL}"),
        ("decodings: [{temperature: true}]", rf"temperature = True: {REAL}"),
        ("decodings: [{temperature: '0.7'}]", rf"temperature = '0.7': {REAL}"),
        ("decodings: [{temperature: .inf}]", r"a.yaml:4: decodings.0.temperature = inf: a number must be finite"),
        ("decodings: [{top_p: .nan}]", r"top_p = nan: a number must be finite"),
        ("decodings: [{temperature: 1e999}]", r"temperature = inf: a number must be finite"),
        ("seeds: [true]", rf"a.yaml:4: seeds.0 = True: {WHOLE}"),
        ("seeds: [1, 010]", rf"a.yaml:4: seeds.1 = '010': {WHOLE}"),
        ("seeds: [0x10]", rf"seeds.0 = '0x10': {WHOLE}"),
        ("seeds: [1:30]", rf"seeds.0 = '1:30': {WHOLE}"),
        ("seeds: [-1]", r"seeds.0 = -1: .*greater than or equal to 0"),
        ("seeds: [4294967296]", r"seeds.0 = 4294967296: .*less than or equal to 2147483647"),
        ("limit: 1:30", rf"a.yaml:4: limit = '1:30': {WHOLE}"),
        ("limit: yes", rf"limit = 'yes': {WHOLE}"),
        ("limit: true", rf"limit = True: {WHOLE}"),
        ("limit: 99999999999999999999", r"a.yaml:4: limit = 9+: a whole number must fit into 64 bits"),
        ("methods: [{name: vcd, params: {alpha: no}}]", r"a.yaml:4.* has alpha = 'no'. Allowed: numbers from 0 to 1000"),
        ("methods: [{name: vcd, params: {alpha: false}}]", r"a.yaml:4: .*alpha = False: false is no number and no word"),
        ("methods: [{name: vcd, params: {alpha: '1'}}]", r"has alpha = '1'. Allowed: numbers from 0 to 1000"),
        ("methods: [{name: vcd, params: {alpha: .inf}}]", r"a.yaml:4: methods.0.params.alpha = inf: a number must be finite"),
        ("methods: [{name: vcd, params: {alpha: }}]", r"a.yaml:4: methods.0.params.alpha = None: a number or a word"),
        ("methods: [{name: vcd, params: {alpha: [1]}}]", r"a.yaml:4: .*alpha = \[1\]: a number or a word is needed"),
        ("methods: [{name: vcd, params: {step: on}}]", r"no step 'on'. Allowed: whole numbers"),
        ("methods: [{name: vcd, params: {step: true}}]", r"step = True: true is no number and no word"),
        ("views: [{name: noise, params: {step: true}}]", r"a.yaml:4: .*step = True: true is no number"),
    ],
)  # fmt: skip
def test_what_is_no_number_is_refused_with_its_line_and_what_is_allowed(line, message):
    with pytest.raises(ConfigError, match=message):
        parse_grid(HEAD + line + "\n", source="a.yaml")


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("suites: [{name: world-objects, limit: on}]", rf"a.yaml:3: suites.0.limit = 'on': {WHOLE}"),
        ("suites: [{name: world-objects, answers: text, longest: true}]", rf"longest = True: {WHOLE}"),
        ("suites: [{name: world-objects, params: {n: 010}}]", r"has n = '010'. Allowed: whole numbers from 1"),
        ("suites: [{name: world-spurious, params: {rho: .nan}}]", r"a.yaml:3: .*rho = nan: a number must be finite"),
        ("suites: [{name: world-facts, params: {people: true}}]", r"people = True: true is no number and no word"),
        (
            "suites: [{name: world-objects, conditions: [{name: unrelated-facts, params: {draws: true}}]}]",
            r"a.yaml:3: .*draws = True: true is no number",
        ),
    ],
)
def test_numbers_of_suites_and_conditions_are_numbers(entry, message):
    with pytest.raises(ConfigError, match=message):
        parse_grid(f"campaign: a\nmodels: [fake]\n{entry}\n", source="a.yaml")


@pytest.mark.parametrize(
    ("needs", "message"),
    [
        ("gpus: true", rf"models.0.needs.gpus = True: {WHOLE}"),
        ("gpus: -1", "needs.gpus = -1: .*greater than or equal to 0"),
        ("mem_gb: 0", "needs.mem_gb = 0: .*greater than 0"),
        ("samples_per_s: yes", f"needs.samples_per_s = 'yes': {REAL}"),
    ],
)
def test_what_a_job_needs_is_said_in_numbers(needs, message):
    with pytest.raises(ConfigError, match=message):
        parse_grid(f"campaign: a\nmodels: [{{name: fake, needs: {{{needs}}}}}]\nsuites: [world-objects]\n")


@pytest.mark.parametrize(
    ("param", "message"),
    [
        ("top_logprobs: true", "params.top_logprobs: Input should be a valid integer"),
        ("timeout_s: on", "params.timeout_s: Input should be a valid number"),
        ("max_retries: '3'", "params.max_retries: Input should be a valid integer"),
        ("timeout_s: .inf", "timeout_s = inf: a number must be finite"),
    ],
)
def test_settings_of_an_endpoint_are_numbers(param, message):
    with pytest.raises(ConfigError, match=message):
        parse_grid(
            "campaign: a\nsuites: [world-objects]\nmodels:\n- name: e\n  family: endpoint\n"
            f"  params: {{url: 'http://localhost/v1', model: m, {param}}}\n"
        )


def test_settings_of_a_build_are_numbers():
    build = "build: b\nimages: {path: x}\nselect: {model: m, limit: yes}\nwriter: {params: {}}\nseed: 010\n"
    with pytest.raises(
        ConfigError, match=rf"b.yaml:5: seed = '010': {WHOLE}(.|\n)*b.yaml:3: select.limit = 'yes': {WHOLE}"
    ):
        parse_build(build, "b.yaml")


def test_numbers_are_read_as_they_look():
    found = Document("a: [1e-06, 1E5, -2e-3, .5, 1., 1_000, 0, +5, true, False, ~]", "s").data["a"]
    assert found == [1e-06, 1e5, -2e-3, 0.5, 1.0, 1000, 0, 5, True, False, None]
    assert [type(one) for one in found[:8]] == [float] * 5 + [int] * 3


def test_words_and_dates_stay_words():
    text = "a: [on, Off, yes, NO, 010, 0x10, 1:30, 2024-01-01, 'true', '1e-06', 1e, '.']\non: 1"
    found = Document(text, "s").data
    assert all(isinstance(one, str) for one in found["a"])
    assert found["on"] == 1


def test_a_small_number_without_a_point_is_a_number_in_a_grid():
    grid = parse_grid(HEAD + "methods: [{name: posthoc-none, params: {epsilon: 1e-06}}]\n")
    assert grid.methods[0].params == {"epsilon": 1e-06}


def test_a_switch_may_still_be_said_with_yes_and_no():
    grid = parse_grid("campaign: a\nmodels: [{name: fake, reference: yes}]\nsuites: [world-objects]\n")
    assert grid.models[0].reference is True


@pytest.mark.parametrize(
    ("text", "message"),
    [("a: !!int x", "cannot be read"), ("a: !!float x", "cannot be read"), ("a: " + "1" * 5000, "cannot be read")],
    ids=["int", "float", "long"],
)
def test_a_value_that_its_tag_does_not_fit_is_no_traceback(text, message):
    with pytest.raises(ConfigError, match=message):
        Document(text, "s")


def models_within(annotation):
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
        for field in annotation.model_fields.values():
            yield from models_within(field.annotation)
    for part in get_args(annotation):
        yield from models_within(part)


def number_fields():
    """(model, field) of everything that people write into a file."""
    found = {}
    for file in (GridFile, Recipe, BuildSpec, NotesFile, FactsFile, Settings):
        for model in models_within(file):
            for name, field in model.model_fields.items():
                parts = [field.annotation, *get_args(field.annotation)]
                inner = [get_args(p)[0] if get_origin(p) is Annotated else p for p in parts]
                if {int, float} & {p for p in inner if isinstance(p, type)}:
                    found[model.__name__, name] = (model, name)
    return list(found.values())


@pytest.mark.parametrize(("model", "name"), number_fields(), ids=lambda one: getattr(one, "__name__", one))
@pytest.mark.parametrize("value", [True, "3", float("nan"), float("inf")])
def test_no_number_field_of_any_file_takes_what_is_no_number(model, name, value):
    field = model.model_fields[name]
    with pytest.raises(ValidationError) as caught:
        model.model_validate({field.alias or name: value})
    assert (field.alias or name) in {one["loc"][0] for one in caught.value.errors() if one["loc"]}


def test_the_number_fields_of_all_files_are_found():
    names = {(model.__name__, name) for model, name in number_fields()}
    assert {("GridFile", "limit"), ("GridFile", "seeds"), ("DecodingEntry", "top_k"), ("Optimiser", "lr"),
            ("Needs", "mem_gb"), ("Selection", "limit"), ("NotesFile", "notes"), ("Settings", "draws")} <= names  # fmt: skip
