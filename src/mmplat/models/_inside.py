"""What views inside the network do there: a description (`views/inside.py`) → a forward that attends otherwise, or is read earlier.

Nothing of transformers is replaced. While a forward runs, attention goes through a function of ours (`_attention.py`); layers
are watched by hooks that are taken off again in a `finally`. Only the rows and columns that change are computed here; all else is
left to the network's usual function.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from mmplat.models._attention import Layer, attention_by, ours
from mmplat.views.inside import LAST, LOW, Blind, LeastAttended, Premature, Raised

if TYPE_CHECKING:
    from mmplat.models._fork import Fork
    from mmplat.models._prompts import Prompt
    from mmplat.models._vlm import VisionLanguage

Tensor = Any  # torch is imported where it is used


class Usual:
    """Nothing is done inside; the base of what is. One object goes with one stream, from its prompts to its last token."""

    attends = False
    """It changes or reads the attention, so every forward goes through `attend`."""
    fork: Fork | None = None
    """How rows share their prompts; None: each row has a cache of its own."""

    def __init__(self, model: VisionLanguage, prompts: Sequence[Prompt]) -> None:
        self.model, self.prompts = model, prompts
        self.eager = model.network.config.get_text_config()._attn_implementation == "eager"

    def says(self, call: Callable[..., Any], new: int) -> Any:
        """Runs a forward; its logits are those of the last `new` positions, in float32."""
        if self.attends or self.fork is not None:
            with attention_by(self.model.network, ours()):
                out = call(inside=self)
        else:
            out = call()
        out.logits = out.logits[:, -new:].float()
        return out

    def attend(self, layer: Layer) -> tuple[Tensor, Tensor | None]:
        """One layer's attention."""
        return layer.usual(eager=self.eager)

    def select(self, rows: Tensor) -> None:
        """Keeps these rows, as the stream does."""
        if self.fork is not None:
            self.fork.select(rows)


class Zeroed(Usual):
    """Features of image tokens are zero unless the token is blind. Chosen at the prompt's end, and kept for the whole answer."""

    def __init__(self, model: VisionLanguage, prompts: Sequence[Prompt], what: Blind) -> None:
        places = places_of(model, prompts)
        blind = blind_tokens(model.attend(prompts), places, what)
        super().__init__(model, [_dimmed(p, row[on]) for p, row, on in zip(prompts, blind, places, strict=True)])


def blind_tokens(looks: Tensor, places: Tensor, what: Blind) -> Tensor:
    """Image tokens (row, position) that draw more than mean + spread × deviation of the attention of image-heavy layers.

    `looks` is the last position's attention (row, layer, position).
    """
    onto = looks * places[:, None]
    share = onto.sum(dim=2)
    ordered, order = share.sort(dim=1, descending=True)
    before = ordered.cumsum(dim=1) - ordered  # what the heavier layers hold
    heavy = (before < what.layers * ordered.sum(dim=1, keepdim=True)).float().gather(1, order.argsort(dim=1))
    heavy[:, 0] += heavy.sum(dim=1) == 0  # no image, or a share of 0: something to divide by
    mean = (onto * heavy[:, :, None]).sum(dim=1) / heavy.sum(dim=1, keepdim=True)
    count = places.sum(dim=1, keepdim=True).clamp(min=1)
    centre = mean.sum(dim=1, keepdim=True) / count
    deviation = (((mean - centre) ** 2 * places).sum(dim=1, keepdim=True) / (count - 1).clamp(min=1)).sqrt()
    return places & (mean > centre + what.spread * deviation)


def _dimmed(prompt: Prompt, stays: Tensor) -> Prompt:
    """The prompt with the features of its image tokens zeroed, but for those that stay (image token,)."""
    seen, start = [], 0
    for one in prompt.seen:
        layers = one.features if isinstance(one.features, tuple) else (one.features,)
        flags = stays[start : start + len(layers[0]), None]
        dimmed = tuple(features * flags.to(features) for features in layers)
        seen.append(replace(one, features=dimmed if isinstance(one.features, tuple) else dimmed[0]))
        start += len(layers[0])
    return replace(prompt, seen=tuple(seen))


class Early(Usual):
    """Of the candidate layers' rows, the one that lies furthest from the final row (Jensen–Shannon), for each row and step."""

    def __init__(self, model: VisionLanguage, prompts: Sequence[Prompt], what: Premature) -> None:
        super().__init__(model, prompts)
        self.decoder, self.norm = model.network.get_decoder(), what.norm
        tied = model.network.get_output_embeddings().weight is model.network.get_input_embeddings().weight
        self.candidates = candidates(len(self.decoder.layers), what.layers, tied=tied)

    def says(self, call: Callable[..., Any], new: int) -> Any:
        states: list[Tensor] = []
        layers = [self.decoder.layers[index] for index in self.candidates]

        def watch(module: Any, given: tuple[Any, ...], named: dict[str, Any]) -> None:
            states.append((given[0] if given else named["hidden_states"])[:, -new:])

        hooks = [layer.register_forward_pre_hook(watch, with_kwargs=True) for layer in layers]
        try:
            out = super().says(call, new)
        finally:
            for hook in hooks:
                hook.remove()
        if states:
            out.logits = furthest(out.logits, [self._row(state).to(out.logits) for state in states])
        return out

    def _row(self, state: Tensor) -> Tensor:
        """What the output layer makes of a state; capped as the network caps its own."""
        said = self.model.network.get_output_embeddings()(self.decoder.norm(state) if self.norm else state)
        cap = getattr(self.model.network.config.get_text_config(), "final_logit_softcapping", None)
        return said if cap is None else cap * (said / cap).tanh()


def candidates(depth: int, which: str, *, tied: bool) -> list[int]:
    """Numbers of layers after which a row is read: every second one of a half, or of 20 where there are more than 40 layers.

    0 is the embeddings: what a token itself says. Tied embeddings say the token again, so those networks begin with 2.
    """
    if which == LAST:
        return []
    half = depth // 2
    low_end, high_begin = (half, half) if depth <= 40 else (20, depth - 20)
    return list(range(2 if tied else 0, low_end, 2) if which == LOW else range(high_begin, depth, 2)) or [half]


def furthest(final: Tensor, rows: list[Tensor]) -> Tensor:
    """For each row and step the candidate with the largest divergence from the final row (row, step, vocab)."""
    import torch

    divergences = torch.stack([jensen_shannon(final, row) for row in rows])
    best = divergences.argmax(dim=0)
    return torch.stack(rows).gather(0, best[None, ..., None].expand(1, *final.shape))[0]


def jensen_shannon(one: Tensor, other: Tensor) -> Tensor:
    """Divergence of two rows of logits, in nats."""
    import torch

    p, q = one.log_softmax(dim=-1), other.log_softmax(dim=-1)
    middle = torch.logaddexp(p, q) - np.log(2)
    return ((p.exp() * (p - middle)).sum(dim=-1) + (q.exp() * (q - middle)).sum(dim=-1)) / 2


class Attending(Usual):
    """Base of what changes the attention. `new` positions speak in a forward: the prompt's last one, or those that continue it."""

    attends = True

    def __init__(self, model: VisionLanguage, prompts: Sequence[Prompt]) -> None:
        super().__init__(model, prompts)
        self.places = places_of(model, prompts)  # (row, position): image tokens, then what is said, which is none
        self.new, self.reads = 0, True
        self.depth = int(model.network.config.get_text_config().num_hidden_layers)

    def says(self, call: Callable[..., Any], new: int) -> Any:
        self.new, self.reads = new, not self.new  # the first forward reads the prompts
        if not self.reads:
            self.places = _longer(self.places, new)
        return super().says(call, new)

    def select(self, rows: Tensor) -> None:
        super().select(rows)
        self.places = self.places[rows]

    def first_after(self, share: float) -> int:
        """The first layer behind a share of all layers."""
        return int(share * self.depth + 1e-9)  # 0.29 × 100 is 28.999… in floating point


class MoreOnImage(Attending):
    """`Raised`, for every position that speaks: the prompt's last one and, one by one, those of the answer."""

    def __init__(self, model: VisionLanguage, prompts: Sequence[Prompt], what: Raised) -> None:
        super().__init__(model, prompts)
        self.strength, self.first = what.strength, self.first_after(what.after)

    def attend(self, layer: Layer) -> tuple[Tensor, Tensor | None]:
        out, weights = super().attend(layer)
        if layer.number >= self.first:
            scores = layer.scores(self.new)
            raised = scores + self.strength * scores.abs() * at_keys(self.places, scores)
            out = out.clone()
            out[:, -self.new :] = layer.values(layer.weights(raised))
        return out, weights


class FewTokens(Attending):
    """`LeastAttended`: the image tokens that do not stay are hidden from all deeper layers, for the prompt and the answer.

    They are chosen by the last layer before those, at the prompt's end, and stay so for the whole answer.
    """

    def __init__(self, model: VisionLanguage, prompts: Sequence[Prompt], what: LeastAttended) -> None:
        super().__init__(model, prompts)
        self.first, self.keep = max(1, self.first_after(what.after)), what.keep
        self.hidden = self.places & False

    def says(self, call: Callable[..., Any], new: int) -> Any:
        if self.new:  # the prompts were read
            self.hidden = _longer(self.hidden, new)
        return super().says(call, new)

    def attend(self, layer: Layer) -> tuple[Tensor, Tensor | None]:
        import torch

        if layer.number >= self.first:
            lowest = torch.finfo(layer.mask.dtype).min
            return layer.usual(layer.mask.masked_fill(at_keys(self.hidden, layer.mask), lowest), eager=self.eager)
        if layer.number == self.first - 1 and self.reads:
            looks = layer.weights(layer.scores(self.new)).mean(dim=1)[:, 0]
            self.hidden = self.places & ~least(looks, self.places, self.keep)
        return super().attend(layer)

    def select(self, rows: Tensor) -> None:
        super().select(rows)
        self.hidden = self.hidden[rows]


def least(looks: Tensor, places: Tensor, keep: float) -> Tensor:
    """The share `keep` of each row's image tokens that draw the least attention (row, position); what is no image is not in it.

    The nearest number of them, and one at least.
    """
    rank = looks.masked_fill(~places, float("inf")).argsort(dim=1, stable=True).argsort(dim=1)
    count = (keep * places.sum(dim=1, keepdim=True)).round().clamp(min=float(keep > 0))
    return places & (rank < count)


class Watched(Attending):
    """Nothing is changed; how the speaking positions attend is kept, one tensor per forward (row, layer, new, position).

    Weights are means over heads, or the largest of them.
    """

    def __init__(self, model: VisionLanguage, prompts: Sequence[Prompt], *, largest: bool = False) -> None:
        super().__init__(model, prompts)
        self.largest = largest
        self.looks: list[Tensor] = []
        self._layers: list[Tensor] = []

    def says(self, call: Callable[..., Any], new: int) -> Any:
        import torch

        self._layers = []
        out = super().says(call, new)
        self.looks.append(torch.stack(self._layers, dim=1))
        return out

    def attend(self, layer: Layer) -> tuple[Tensor, Tensor | None]:
        import torch

        weights = layer.weights(layer.scores(self.new))
        found = weights.amax(dim=1) if self.largest else weights.mean(dim=1)
        unseen = self.places.shape[1] - found.shape[-1]  # what has left the cache of a sliding window
        self._layers.append(torch.nn.functional.pad(found, (unseen, 0)))
        return super().attend(layer)


ACTS: dict[type, Callable[..., Usual]] = {
    Raised: MoreOnImage,
    LeastAttended: FewTokens,
    Blind: Zeroed,
    Premature: Early,
}


def begun(model: VisionLanguage, prompts: Sequence[Prompt]) -> Usual:
    """What is done inside while these prompts, which ask for the same, are read and continued."""
    what = prompts[0].inside
    return Usual(model, prompts) if what is None else ACTS[type(what)](model, prompts, what)


def apart(prompts: Sequence[Prompt], run: Callable[[Sequence[Prompt]], Tensor]) -> Tensor:
    """`run` on the prompts that ask for the same inside, group by group; its rows in the order of the prompts."""
    import torch

    groups: dict[Any, list[int]] = {}
    for row, prompt in enumerate(prompts):
        groups.setdefault(prompt.inside, []).append(row)
    if len(groups) == 1:
        return run(prompts)
    found = torch.cat([run([prompts[row] for row in rows]) for rows in groups.values()])
    order = torch.tensor([row for rows in groups.values() for row in rows], device=found.device)
    return found[order.argsort()]


def places_of(model: VisionLanguage, prompts: Sequence[Prompt]) -> Tensor:
    """Where the image tokens are in a batch padded on the left (row, position)."""
    import torch

    width = max(prompt.length for prompt in prompts)
    places = np.zeros((len(prompts), width), bool)
    for row, prompt in enumerate(prompts):
        places[row, width - prompt.length :] = np.equal(prompt.ids, model.network.config.image_token_id)
    return torch.from_numpy(places).to(model.device)


def at_keys(places: Tensor, over: Tensor) -> Tensor:
    """Places as a layer has them: its last keys are the last positions, whatever has left its cache (row, 1, 1, key)."""
    return places[:, None, None, -over.shape[-1] :].to(over.device)


def _longer(places: Tensor, new: int) -> Tensor:
    import torch

    return torch.nn.functional.pad(places, (0, new))
