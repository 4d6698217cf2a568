"""What views promise: those declared can be made, and those without the image do not know it."""

from __future__ import annotations

from mmplat.contracts.base import Contract, Subject, Verdict, both, catalog
from mmplat.models import families
from mmplat.views import catalog as view_kinds

FREE = ("none", "unk", "zero", "one", "black", "white", "random-pixels", "unrelated")
"""Views that hold nothing of the image but its size."""


def views_declared(subject: Subject) -> Verdict:
    """Every view is made, or has a reason; what planning refuses, the checkpoint refuses too."""
    planned = families.get(subject.model.identity["family"]).unavailable
    for kind in view_kinds:
        reason = subject.model.unavailable(kind)
        if planned(kind) and not reason:
            return Verdict(False, f"{kind} is refused while planning and made by the checkpoint")
        if kind in subject.kinds and not subject.logits(subject.ask(kind)).isfinite().all():
            return Verdict(False, f"{kind} gives numbers that are none")
    missing = [kind for kind in view_kinds if subject.model.unavailable(kind)]
    why = f"; without {', '.join(missing)}: {subject.model.unavailable(missing[0])}" if missing else ""
    return Verdict(True, f"{len(list(view_kinds)) - len(missing)} of {len(list(view_kinds))} views{why}")


def views_differ(subject: Subject) -> Verdict:
    """No view silently stands for another: each says something else than the image."""
    image = subject.logits(subject.ask())
    same = [
        kind for kind in subject.kinds if kind != "image" and bool((subject.logits(subject.ask(kind)) == image).all())
    ]
    return Verdict(not same, f"as the image: {', '.join(same)}" if same else f"{len(subject.kinds) - 1} views")


def image_free(subject: Subject) -> Verdict:
    """The logits of a view without the image are bit-equal under another image of the same size."""
    other = (255 - subject.pictures[0],)
    kinds = [kind for kind in FREE if kind in subject.kinds]
    leaks = [
        kind
        for kind in kinds
        if not bool((subject.logits(subject.ask(kind)) == subject.logits(subject.ask(kind, pictures=other))).all())
    ]
    blind = bool((subject.logits(subject.ask()) == subject.logits(subject.ask(pictures=other))).all())
    if blind:
        return Verdict(False, "the model says the same to every image")
    return Verdict(not leaks, f"knows the image: {', '.join(leaks)}" if leaks else f"{len(kinds)} views, bit by bit")


def none_is_the_prompt_without_pictures(subject: Subject) -> Verdict:
    """The template without the image is the template with it, less one piece around the placeholder."""
    if subject.model.unavailable("none"):
        return Verdict(None, str(subject.model.unavailable("none")))
    with_, without = subject.model.render("Which one?", 1), subject.model.render_blind("Which one?", 1)
    cut = len(with_) - len(without)
    start = next((i for i, (a, b) in enumerate(zip(with_, without, strict=False)) if a != b), len(without))
    starts = [at for at in range(max(0, start - cut), start + 1) if with_[:at] + with_[at + cut :] == without]
    pieces = [with_[at : at + cut] for at in starts if subject.model.placeholder in with_[at : at + cut]]
    if not pieces:
        return Verdict(False, "the template says other things when there is no picture")
    return Verdict(True, f"{pieces[0]!r} is left out")


def text_only(subject: Subject) -> Verdict:
    """A question without any picture is asked as it is."""
    ask = subject.ask(pictures=())
    reason = subject.model.refuses(ask)
    if reason:
        return Verdict(None, reason)
    return both(subject.close(subject.logits(ask, subject.ask())[0], subject.theirs(ask)[0]))


def several_pictures(subject: Subject) -> Verdict:
    """Two pictures of different sizes in one question, batched with a question about one."""
    ask = subject.ask(pictures=subject.pictures[:2])
    reason = subject.model.refuses(ask)
    if reason:
        return Verdict(None, reason)
    asks = (ask, subject.ask(number=2))
    ours = subject.logits(*asks)
    return both(*(subject.close(ours[row], subject.theirs(one)[0]) for row, one in enumerate(asks)))


def seen_once(subject: Subject) -> Verdict:
    """Questions about one picture, and views that share pixels, go through the vision tower once."""
    shown: list[int] = []
    see = subject.model.pictures.see

    def counted(processed: list[object]) -> object:
        shown.append(len(processed))
        return see(processed)

    fresh = tuple(picture[::-1].copy() for picture in subject.pictures)
    subject.model.pictures.see = counted
    try:
        asks = [subject.ask(kind, pictures=fresh[:1], question=q) for q in ("One?", "Two?") for kind in ("image", "none")
                if subject.model.unavailable(kind) is None]  # fmt: skip
        encoded = subject.model.encode(asks)
    finally:
        subject.model.pictures.see = see
    if encoded[0].seen[0].features is None:
        return Verdict(
            None, "the family's forward takes pixels itself: the tower runs with each view that shows a picture"
        )
    return Verdict(sum(shown) == 1, f"{sum(shown)} run of the tower for {len(asks)} asks about one picture")


for _name, _summary, _check in (
    ("views", "views available = views declared", views_declared),
    ("differ", "no view silently stands for another", views_differ),
    ("free", "image-free logits do not depend on the image", image_free),
    ("none", "none = the template less the picture's entry", none_is_the_prompt_without_pictures),
    ("text", "questions without a picture", text_only),
    ("pictures", "several pictures in one question", several_pictures),
    ("once", "the vision tower runs once per distinct picture", seen_once),
):
    catalog.add(_name, Contract(_name, _summary, _check))
