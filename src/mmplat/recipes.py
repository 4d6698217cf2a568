"""A recipe: how a model is fine-tuned. YAML → checked recipe → the job that trains one model, named by its content.

Torch-free: a grid that trains is planned like any other. What the fields do to the weights stands in `training/`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from mmplat.conditioning import ConditionEntry, bind_for
from mmplat.documents import Document, read_text, validated
from mmplat.errors import ConfigError, UnknownName
from mmplat.ids import content_id
from mmplat.models import families
from mmplat.models.identity import CODE_IN_RESULTS, TRAINED, checkpoint_content
from mmplat.numbers import Number, Whole
from mmplat.records import ModelSpec, Needs, Record, SuiteSpec, TrainingSpec
from mmplat.suites import bind as bind_suite
from mmplat.suites import catalog as suites

VERSION = 1
"""Of what a recipe means, part of every key: raise it when the same recipe would give other weights."""
FOLDER = Path("config/recipes")
WITHOUT_EFFECT = {"about", "data", "checkpoint_every", "gradient_checkpointing", "needs"}
"""Fields of a recipe that change no weight, and the data, which the key holds as they were prepared."""
CLEAN = "clean"
"""What an item is called as it is, among its variants."""

Family = Literal["image", "text", "both"]
Beta = Annotated[Number, Field(ge=0, lt=1)]
Share = Field(None, ge=0, le=1, description="how often an item is shown so, where it is shown once per epoch")


class Entry(BaseModel):
    """Base of what a recipe is made of."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())


class Variant(ConditionEntry):
    """A condition under which items are shown besides."""

    share: Number | None = Share


class DataSuite(Entry):
    """A suite whose samples are trained on."""

    name: str
    limit: Whole | None = Field(None, ge=1)
    params: dict[str, Any] = Field(default_factory=dict)


class Part(Entry):
    """Items from one suite: each sample as it is, and under conditions.

    Without shares an item is shown in every way at once; with them, once per epoch, in one way drawn by the shares.
    """

    suite: str | DataSuite
    family: Family | None = Field(None, description="what decides the answer; default: what the suite needs")
    origin: str | ConditionEntry | None = Field(
        None, description="the condition that counts as clean (text questions need some picture); default: none"
    )
    conditions: list[str | Variant] = []
    clean: Number | None = Share
    target: Literal["label", "option", "answer"] = Field(
        "label",
        description="label: the letter or word that is read when asking; option: the right option's words; "
        "answer: the reference answer of an open-ended suite",
    )
    known_questions: bool = Field(
        False, description="its questions are few and known: those that a test asks too are counted, not refused"
    )

    @model_validator(mode="after")
    def _whole(self) -> Part:
        shares = [self.clean, *(c.share if isinstance(c, Variant) else None for c in self.conditions)]
        given = [share for share in shares if share is not None]
        if given and (len(given) < len(shares) or abs(sum(given) - 1) > 1e-6):
            raise ValueError(
                f"shares are {shares} (clean, then the conditions): give all of them, adding up to 1, or none"
            )
        return self


class Consistency(Entry):
    """How far the answers to a variant may lie from those to the clean item, which is held fixed."""

    kind: Literal["none", "kl", "js"] = "none"
    weight: Number = Field(0.01, ge=0)
    reduction: Literal["sum", "mean"] = Field(
        "sum", description="over an item's variants and answer tokens; items are always averaged"
    )


class Adversarial(Entry):
    """What is added to the embeddings of the part that does not decide."""

    kind: Literal["none", "raw-gradient", "sign-pgd", "gaussian"] = "none"
    weight: Number = Field(1.0, ge=0)
    epsilon: Number = Field(1e-3, gt=0, description="largest change of a coordinate")
    alpha: Number = Field(0.1, gt=0, description="step: times the gradient, or times its sign")
    steps: Whole = Field(2, ge=1)
    sigma: Number = Field(0.05, gt=0, description="of gaussian, which has no steps and no largest change")


class Losses(Entry):
    """loss = clean and variants (cross-entropy of the answer) + adversarial + consistency, each by its weight."""

    clean: Number = Field(1.0, ge=0)
    variants: Number = Field(1.0, ge=0)
    consistency: Consistency = Consistency()
    adversarial: Adversarial = Adversarial()


class Optimiser(Entry):
    """AdamW. Matrices decay, vectors do not."""

    lr: Number = Field(gt=0)
    weight_decay: Number = Field(1e-4, ge=0)
    betas: tuple[Beta, Beta] = (0.9, 0.999)
    eps: Number = Field(1e-6, gt=0)
    clip: Number | None = Field(1.0, gt=0, description="largest norm of the gradient")


class Schedule(Entry):
    """How long, and how fast. An epoch ends when a family has no items left for a batch."""

    kind: Literal["cosine", "linear", "constant"] = "cosine"
    warmup: Number = Field(0.03, ge=0, lt=1, description="share of the steps in which the rate rises")
    epochs: Number | None = Field(None, gt=0)
    steps: Whole | None = Field(None, ge=1, description="instead of epochs")

    @model_validator(mode="after")
    def _one_length(self) -> Schedule:
        if (self.epochs is None) == (self.steps is None):
            raise ValueError("give either epochs or steps")
        return self


class Lora(Entry):
    """Low-rank adapters instead of all weights."""

    rank: Whole = Field(16, ge=1)
    alpha: Whole = Field(32, ge=1)
    dropout: Number = Field(0.0, ge=0, lt=1)
    targets: list[str] | None = Field(
        None, description="ends of the names of linear layers; default: all of the language model's layers"
    )


class Recipe(Entry):
    """One file in config/recipes/."""

    about: str = ""
    data: list[Part] = Field(min_length=1)
    batch: dict[Family, Annotated[Whole, Field(ge=1)]] = Field(
        description="items of each family in a batch of one process"
    )
    losses: Losses = Losses()
    optimiser: Optimiser
    schedule: Schedule
    lora: Lora | None = Field(None, description="default: all weights but the vision tower's")
    dtype: Literal["float32", "bfloat16"] = Field("float32", description="of the arithmetic")
    accumulate: Whole = Field(1, ge=1, description="batches per step of the optimiser")
    gradient_checkpointing: bool = False
    checkpoint_every: Whole = Field(
        200, ge=1, description="steps between two points from which a killed training goes on"
    )
    seed: Whole = 0
    needs: Needs = Field(Needs(), description="what its job needs of a cluster; in no key")

    @property
    def settings(self) -> dict[str, Any]:
        """What determines the weights, but for the data."""
        return self.model_dump(mode="json", exclude=WITHOUT_EFFECT)


class Shown(Record):
    """One way of showing the items of a part."""

    name: str
    suite: SuiteSpec
    share: float | None = None


class Data(Record):
    """A part with its suites bound: the clean way first."""

    family: Family
    ways: tuple[Shown, ...]
    target: Literal["label", "option", "answer"]
    known_questions: bool = False

    @property
    def settings(self) -> dict[str, Any]:
        ways = [[way.suite.key, way.share] for way in self.ways]
        return {"family": self.family, "ways": ways, "target": self.target}


class TrainingJob(Record):
    """Everything that one training needs: results/trained/<key>.json."""

    name: str
    """Of the recipe."""
    base: ModelSpec
    base_content: str | None
    """The weights it begins with, where they are files; a hub name is pinned by its revision."""
    recipe: Recipe
    data: tuple[Data, ...]

    @property
    def key(self) -> str:
        """Equal for trainings that give equal weights, as far as arithmetic is the same everywhere."""
        said = [VERSION, self.base.settings, self.base_content, self.recipe.settings]
        return content_id([*said, [part.settings for part in self.data]])

    @property
    def needs(self) -> Needs:
        """What the recipe says, else what asking the base needs."""
        return self.base.needs.model_copy(update=self.recipe.needs.model_dump(exclude_none=True))

    @property
    def model(self) -> ModelSpec:
        """The trained model: the base, with other weights or with an adapter."""
        return self.of(self.base)

    def of(self, base: ModelSpec) -> ModelSpec:
        """The same for a base that differs in what is of this machine alone."""
        where = f"{TRAINED}{self.key}"
        weights = {"adapter": where} if self.recipe.lora else {"path": where, "revision": None, "adapter": None}
        training = TrainingSpec(key=self.key, recipe=self.name, base=base.name)
        return base.model_copy(update={"name": trained_name(base, self.name), "training": training, **weights})

    @property
    def suites(self) -> tuple[SuiteSpec, ...]:
        """What must be prepared."""
        return tuple({way.suite.key: way.suite for part in self.data for way in part.ways}.values())


def bind(base: ModelSpec, recipe: str, *, where: str = "") -> TrainingJob:
    """The training of `base` by a recipe: the name of one in config/recipes/, or the path of a file."""
    path = find(recipe, where=where)
    document = Document(read_text(path, what="recipe", hint=f"Examples lie in {FOLDER}/."), str(path))
    read = validated(Recipe, document, what="a recipe")
    data = tuple(_data(part, document, index) for index, part in enumerate(read.data))
    _refuse_unequal(read, data, document)
    _refuse_untrainable(base, read, where)
    return TrainingJob(name=path.stem, base=base, base_content=checkpoint_content(base), recipe=read, data=data)


def trained_name(base: ModelSpec, recipe: str) -> str:
    """What a trained model is called."""
    return f"{base.name}+{Path(recipe).stem}"


def find(recipe: str, *, where: str = "") -> Path:
    """The file of a recipe: of this working folder first, then of those that come with mmplat."""
    if recipe.endswith((".yaml", ".yml")):
        return Path(recipe)
    package = Path(__file__).parent
    folders = [FOLDER, package / FOLDER, package.parents[1] / FOLDER]
    known = {path.stem: path for folder in reversed(folders) for path in sorted(folder.glob("*.yaml"))}
    if recipe not in known:
        raise UnknownName("recipe", recipe, known, where=f"{where} (or give the path of a YAML file)")
    return known[recipe]


def _data(part: Part, document: Document, index: int) -> Data:
    entry = DataSuite(name=part.suite) if isinstance(part.suite, str) else part.suite
    base = bind_suite(entry.name, entry.params, limit=entry.limit, where=document.at("data", index, "suite"))
    _refuse_wordless(part, base, document.at("data", index))
    clean = base
    if part.origin is not None:
        clean = base.under(bind_for(base, part.origin, where=document.at("data", index, "origin")))
    ways = [Shown(name=CLEAN, suite=clean, share=part.clean)]
    for at, one in enumerate(part.conditions):
        condition = bind_for(base, one, where=document.at("data", index, "conditions", at))
        share = one.share if isinstance(one, Variant) else None
        ways.append(Shown(name=condition.name, suite=base.under(condition), share=share))
    family = part.family or suites.get(base.kind).needs
    return Data(family=family, ways=tuple(ways), target=part.target, known_questions=part.known_questions)


def _refuse_wordless(part: Part, suite: SuiteSpec, where: str) -> None:
    """A target that the suite's samples do not have."""
    open_ended = suites.get(suite.kind).open_ended
    if open_ended != (part.target == "answer"):
        kind, allowed = ("open-ended", "answer") if open_ended else ("closed", "label, option")
        raise ConfigError(
            f"target: {part.target}{where}: suite {suite.name!r} is {kind}, so its samples have none. Allowed: {allowed}."
        )


def _refuse_unequal(recipe: Recipe, data: Sequence[Data], document: Document) -> None:
    """The batch must name the families of the data, all of them and no others."""
    there, asked = {part.family for part in data}, set(recipe.batch)
    if there != asked:
        raise ConfigError(
            f"batch{document.at('batch')} asks for items of {', '.join(sorted(asked)) or 'no family'}, and the data hold "
            f"{', '.join(sorted(there))}. Give each family of the data a count, and no other."
        )


def _refuse_untrainable(base: ModelSpec, recipe: Recipe, where: str) -> None:
    trainable = [name for name, family in families.items() if not family.weightless]
    if families.get(base.family).weightless:
        raise ConfigError(
            f"Model {base.name!r}{where} is of family {base.family!r}, which has no weights to train. "
            f"Families that have: {', '.join(trainable)}."
        )
    if base.trust_remote_code and not recipe.lora:
        raise ConfigError(f"Model {base.name!r}{where} cannot be trained so: {CODE_IN_RESULTS}")
    if recipe.lora and base.adapter:
        raise ConfigError(
            f"Model {base.name!r}{where} has an adapter already, and an adapter on an adapter cannot be loaded. Use a recipe "
            "without `lora`: it trains the merged weights."
        )
