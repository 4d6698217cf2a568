"""What every model family must hold: the views mean what they say, and evidence is what `generate()` would have seen."""

import numpy as np
import polars as pl
import pytest
import torch
from builders import Prepared, run_grid

from mmplat.artifacts import Results
from mmplat.contracts.seeing import FREE
from mmplat.decoding import distribution, parse_decoding
from mmplat.errors import ConfigError, IncompatibleCell, ModelError
from mmplat.models import Ask, bind, families
from mmplat.models._spelling import one_token_spellings
from mmplat.preparing import load_samples
from mmplat.views import bind as view


def logits_of(subject, suite, kind, samples=None, pictures=None):
    asks = [Ask(s, view(kind), pictures or suite.pictures(s)) for s in samples or suite.samples]
    return subject.ours.forward(subject.ours.encode(asks)).numpy()


def chat(processor, sample, *, image=True):
    content = [{"type": "image"}] * (len(sample.images) if image else 0) + [{"type": "text", "text": sample.question}]
    return processor.apply_chat_template([{"role": "user", "content": content}], add_generation_prompt=True)


def their_inputs(subject, suite, samples, *, image=True):
    _, processor = subject.theirs
    texts = [chat(processor, s, image=image) for s in samples]
    pictures = [p for s in samples for p in suite.pictures(s)] if image else None
    return processor(text=texts, images=pictures, return_tensors="pt", padding=True)


def test_the_image_view_is_what_generate_sees(subject, suite):
    model, _ = subject.theirs
    inputs = their_inputs(subject, suite, suite.samples)
    out = model.generate(**inputs, do_sample=False, max_new_tokens=1, output_logits=True, return_dict_in_generate=True)
    ours = logits_of(subject, suite, "image")
    assert np.abs(ours - out.logits[0].numpy()).max() < 1e-4
    assert (ours.argmax(axis=1) == out.sequences[:, -1].numpy()).all()


def test_the_none_view_is_the_template_without_the_image_entry(subject, suite):
    model, processor = subject.theirs
    inputs = their_inputs(subject, suite, suite.samples, image=False)
    with torch.inference_mode():
        theirs = model(**inputs, logits_to_keep=1).logits[:, -1].numpy()
    assert np.abs(logits_of(subject, suite, "none") - theirs).max() < 1e-4
    sample = suite.samples[0]
    assert chat(processor, sample).replace(processor.image_token, "") == chat(processor, sample, image=False)


def test_the_unk_view_has_one_unk_token_where_the_image_was(subject, suite):
    model, processor = subject.theirs
    tokenizer = processor.tokenizer
    texts = [chat(processor, s).replace(processor.image_token, tokenizer.unk_token) for s in suite.samples]
    with torch.inference_mode():
        theirs = model(**tokenizer(texts, return_tensors="pt", padding=True), logits_to_keep=1).logits[:, -1].numpy()
    assert np.abs(logits_of(subject, suite, "unk") - theirs).max() < 1e-4


@pytest.mark.parametrize("kind", ["zero", "one"])
def test_zero_and_one_are_constant_in_normalised_pixel_space(subject, suite, kind):
    model, _ = subject.theirs
    inputs = their_inputs(subject, suite, suite.samples)
    inputs["pixel_values"] = torch.full_like(inputs["pixel_values"], float(kind == "one"))
    with torch.inference_mode():
        theirs = model(**inputs, logits_to_keep=1).logits[:, -1].numpy()
    assert np.abs(logits_of(subject, suite, kind) - theirs).max() < 1e-4


@pytest.mark.parametrize("kind", FREE)
def test_image_free_logits_do_not_depend_on_the_image(subject, suite, kind):
    sample = suite.samples[0]
    other = tuple(255 - p for p in suite.pictures(sample))
    assert np.array_equal(
        logits_of(subject, suite, kind, [sample]), logits_of(subject, suite, kind, [sample], pictures=other)
    )


def test_noise_is_seeded_per_sample_and_not_by_order(subject, suite):
    forwards = logits_of(subject, suite, "noise")
    backwards = logits_of(subject, suite, "noise", suite.samples[::-1])[::-1]
    assert np.abs(forwards - backwards).max() < 1e-4
    same_image = [Ask(s, view("noise"), suite.pictures(suite.samples[0])) for s in suite.samples[:2]]
    if suite.samples[0].sample_key != suite.samples[1].sample_key:
        assert same_image[0].seed != same_image[1].seed


def test_batch_one_says_what_batch_many_says(subject, suite):
    many = logits_of(subject, suite, "image")
    one = np.concatenate([logits_of(subject, suite, "image", [s]) for s in suite.samples[:10]])
    assert np.abs(many[:10] - one).max() < 1e-4


def test_label_spellings_are_single_tokens_that_say_the_label(subject, suite):
    _, processor = subject.theirs
    for labels in {s.labels for s in suite.samples}:
        spelled = subject.ours.spellings(labels)
        assert set(spelled.of) == set(range(len(labels)))
        for token, index in zip(spelled.ids, spelled.of, strict=True):
            assert processor.tokenizer.decode([token]).strip().lower() == labels[index].lower()


def test_using_a_model_leaves_transformers_as_it_was(subject, suite):
    from transformers import GenerationMixin, LlavaForConditionalGeneration

    before = (GenerationMixin._sample, GenerationMixin.generate, LlavaForConditionalGeneration.forward)
    logits_of(subject, suite, "noise", suite.samples[:2])
    assert before == (GenerationMixin._sample, GenerationMixin.generate, LlavaForConditionalGeneration.forward)


def test_a_label_without_a_one_token_spelling_is_refused_with_the_reason(subject):
    with pytest.raises(IncompatibleCell, match=r"\['hippopotamus'\] are no single token"):
        subject.ours.spellings(("yes", "hippopotamus"))


def test_letters_keep_their_case_and_words_do_not():
    class Tokenizer:
        def __init__(self):
            self.vocabulary = {"▁A": 1, "A": 2, "a": 3, "▁a": 4, "▁Yes": 5, "yes": 6, "ĠYES": 7, "▁yesterday": 8}

        def get_vocab(self):
            return self.vocabulary

        def decode(self, ids):
            return next(word for word, i in self.vocabulary.items() if i == ids[0]).strip("▁Ġ")

    found = one_token_spellings(Tokenizer(), ("A", "yes"))
    assert dict(zip(found.ids, found.of, strict=True)) == {1: 0, 2: 0, 5: 1, 6: 1, 7: 1}


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda folder: (folder / "model.safetensors").write_bytes(b"half"), "cannot be loaded"),
        (lambda folder: (folder / "model.safetensors").unlink(), "cannot be loaded"),
        (lambda folder: (folder / "tokenizer.json").unlink(), "cannot be loaded"),
    ],
)
def test_a_spoiled_checkpoint_gives_one_clear_message(untrained, tmp_path, spoil, message):
    import shutil

    folder = tmp_path / "spoiled"
    shutil.copytree(untrained, folder)
    spoil(folder)
    with pytest.raises(
        ModelError,
        match=rf"Model 'spoiled' {message} from .*(Give a folder with config.json|The folder needs the tokenizer)",
    ):
        families.get("llava").load(bind("spoiled", {"path": str(folder)}))


def test_a_folder_that_is_no_checkpoint_is_refused_while_planning(tmp_path):
    with pytest.raises(ConfigError, match=r"config.json.* cannot be read"):
        bind("x", {"path": str(tmp_path)})
    (tmp_path / "config.json").write_text('{"architectures": ["BertModel"]}')
    with pytest.raises(
        ConfigError, match=r"No family serves architecture \['BertModel'\], and it has no vision tower. Known: .*Llava"
    ):
        bind("x", {"path": str(tmp_path)})


@pytest.mark.slow
@pytest.mark.parametrize("subject", ["tiny"], indirect=True)
def test_greedy_answers_equal_generate_on_every_sample_of_the_demo(subject, tmp_path):
    text = "campaign: a\nmodels: [tiny]\nsuites: [world-objects, world-spurious, world-facts]\n"
    ran = run_grid(text, Results(tmp_path))
    model, processor = subject.theirs
    for pair in ran.plan.pairs:
        folder = ran.results.suite(pair.suite.name, pair.suite.key)
        suite = Prepared(folder, load_samples(folder))
        said = []
        for start in range(0, len(suite.samples), 128):
            inputs = their_inputs(subject, suite, suite.samples[start : start + 128])
            tokens = model.generate(**inputs, do_sample=False, max_new_tokens=1)[:, -1]
            said += [processor.tokenizer.decode([t]).strip() for t in tokens.tolist()]
        table = pl.read_parquet(ran.results.decided("a", "tiny", pair.suite.name) / "predictions.parquet")
        answers = dict(zip(table["sample_id"], table["answer"], strict=True))
        theirs = [word if word in s.labels else None for word, s in zip(said, suite.samples, strict=True)]
        assert [answers[s.sample_id] for s in suite.samples] == theirs


# What stands below compares the exact answer distribution with real draws of `generate()`.

DRAWS = 2000
SAMPLED = ["sample", "t0.5", "k3", "p0.9", "t1.5-k5-p0.8"]


class Contrast:
    """VDD as a real LogitsProcessor: reruns the image-free prompt beside the generation."""

    def __init__(self, model, inputs, alpha, beta):
        with torch.inference_mode():
            self.reference = model(**inputs, logits_to_keep=1).logits[:, -1]
        self.alpha, self.beta = alpha, beta

    def __call__(self, input_ids, scores):
        low = scores < scores.max(dim=-1, keepdim=True).values + np.log(self.beta)
        return ((1 + self.alpha) * scores - self.alpha * self.reference).masked_fill(low, -torch.inf)


def undecided(subject, suite, count=3):
    """Samples whose answer is least certain: there a wrong probability would show."""
    found = torch.from_numpy(logits_of(subject, suite, "image")).softmax(-1).numpy().max(axis=1)
    return [suite.samples[i] for i in np.argsort(found)[:count]]


@pytest.mark.slow
@pytest.mark.parametrize("subject", ["tiny"], indirect=True)
@pytest.mark.parametrize("suite", ["world-objects", "world-spurious"], indirect=True)
@pytest.mark.parametrize("method", ["naive", "vdd-none"])
@pytest.mark.parametrize("config", SAMPLED)
def test_two_thousand_real_draws_agree_with_the_exact_probability(subject, suite, method, config, results):
    from mmplat.methods import bind as bind_method

    decoding = parse_decoding(config)
    model, _ = subject.theirs
    torch.manual_seed(0)
    for sample in undecided(subject, suite):
        processors = []
        if method == "vdd-none":
            processors = [Contrast(model, their_inputs(subject, suite, [sample], image=False), alpha=1.0, beta=0.1)]
        drawn = model.generate(
            **their_inputs(subject, suite, [sample]),
            do_sample=True,
            temperature=decoding.temperature,
            top_k=decoding.top_k or 0,
            top_p=decoding.top_p or 1.0,
            logits_processor=processors,
            num_return_sequences=DRAWS,
            max_new_tokens=1,
        )[:, -1]
        spelled = subject.ours.spellings(sample.labels)
        evidence = evidence_of(subject, suite, sample)
        exact = distribution(bind_method(method).scores(evidence), decoding).probs[0]
        for index in range(len(sample.labels)):
            tokens = [t for t, of in zip(spelled.ids, spelled.of, strict=True) if of == index]
            low, high = binomial_range(exact[index], DRAWS, 0.999)
            assert low <= int(torch.isin(drawn, torch.tensor(tokens)).sum()) <= high


def binomial_range(p, n, level):
    """Central interval of a binomial count: the draws are exactly that if the probability is right."""
    mass = np.zeros(n + 1)
    k = np.arange(n + 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.cumsum(np.log(np.maximum(k, 1)))
        mass = np.exp(
            logs[n] - logs[k] - logs[n - k] + k * np.log(max(p, 1e-300)) + (n - k) * np.log(max(1 - p, 1e-300))
        )
    below = np.cumsum(mass)
    tail = (1 - level) / 2
    return int(np.searchsorted(below, tail)), int(np.searchsorted(below, 1 - tail))


def evidence_of(subject, suite, sample):
    """The stored form of one sample's evidence, through the real engine's reduction and files."""
    import tempfile
    from pathlib import Path

    from mmplat.asking.outcome import Outcome
    from mmplat.asking.suite_job import SuiteJob
    from mmplat.evidence.files import read_evidence
    from mmplat.records import BatchSuite, Demand, SuiteSpec

    part = BatchSuite(suite=SuiteSpec(name="s", kind="world-objects", version=1), views=(view("image"), view("none")))
    target = Path(tempfile.mkdtemp())
    demand = Demand(min_beta=0.1)
    SuiteJob(subject.ours, part, demand, suite.folder, target, Outcome(), lambda n: None).run(
        [sample], np.ones((1, 2), bool)
    )
    return read_evidence(target, [sample], list(part.views))
