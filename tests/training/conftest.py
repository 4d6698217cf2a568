"""What the tests of training share: a few prepared items of the world, and recipes that take seconds."""

import pytest

from mmplat.artifacts import Results
from mmplat.models import bind as bind_model
from mmplat.preparing import prepare
from mmplat.recipes import TrainingJob, bind

RECIPE = """
data:
  - suite: {{name: world-objects, params: {{n: 24, seed: 900}}}}
    conditions: {conditions}
  - suite: {{name: world-facts, params: {{n: 12, seed: 900}}}}
    origin: random-pixels
    conditions: [black]
    known_questions: true
batch: {{image: 2, text: 1}}
optimiser: {{lr: {lr}}}
schedule: {{steps: 4, warmup: 0}}
checkpoint_every: 2
{more}
"""
UNRELATED = "[{name: unrelated-facts, params: {pool: world, draws: 2, separator: ' '}}]"


@pytest.fixture(scope="session")
def place(tmp_path_factory) -> Results:
    """Prepared suites that many tests train on; each training has a folder of its own by its key."""
    return Results(tmp_path_factory.mktemp("training") / "results")


@pytest.fixture
def recipe_file(tmp_path):
    """Where `job_of` writes its recipe."""
    return tmp_path / "quick.yaml"


@pytest.fixture
def job_of(recipe_file, place):
    """A training of the tiny model by the recipe above, with more lines; its suites are prepared."""

    def made(more: str = "", *, conditions: str = UNRELATED, lr: str = "1.0e-3") -> TrainingJob:
        recipe_file.write_text(RECIPE.format(more=more, conditions=conditions, lr=lr))
        job = bind(bind_model("tiny"), str(recipe_file))
        for suite in job.suites:
            prepare(suite, place)
        return job

    return made
