"""How far a campaign is, read from its files: batches asked, pairs decided, failures recorded."""

from __future__ import annotations

from dataclasses import dataclass

from mmplat.artifacts import Results, read_json
from mmplat.plan import Plan


@dataclass(frozen=True, slots=True)
class Progress:
    """The state of one campaign."""

    campaign: str
    batches: int
    asked: int
    pairs: int
    decided: int
    failures: tuple[str, ...]
    """One line per sample that could not be asked."""

    @property
    def fine(self) -> bool:
        return self.asked == self.batches and self.decided == self.pairs and not self.failures

    @property
    def verdict(self) -> str:
        if self.failures:
            return (
                f"Campaign {self.campaign!r}: {len(self.failures)} samples could not be asked and are in no metric; the first: "
                f"{self.failures[0]} Everything else is done. Mend the cause, then run the same snakemake command "
                "with `--forcerun ask`: only what failed is asked."
            )
        return (
            f"Campaign {self.campaign!r} is not complete: {self.asked} of {self.batches} batches asked, {self.decided} of "
            f"{self.pairs} pairs decided. Run the same snakemake command again: it continues."
        )

    @property
    def text(self) -> str:
        lines = [
            f"campaign {self.campaign}",
            f"batches  {self.asked} of {self.batches} asked",
            f"pairs    {self.decided} of {self.pairs} decided",
            f"failed   {len(self.failures)} samples",
        ]
        return "\n".join(lines + [f"         {line}" for line in self.failures[:10]])


def progress_of(plan: Plan, results: Results) -> Progress:
    """Reads the done-markers of a plan."""
    markers = [results.batch_done(batch.key) for batch in plan.batches]
    done = [read_json(marker, made_by="mmplat ask") for marker in markers if marker.exists()]
    decided = [
        results.decided(plan.grid.campaign, pair.model.name, pair.suite.name) / "decided.json" for pair in plan.pairs
    ]
    failures = tuple(
        f"{marker['model']} × {f['suite']}, sample {f['sample_id']}: {f['error']}"
        for marker in done
        for f in marker["failures"]
    )
    return Progress(
        plan.grid.campaign, len(markers), len(done), len(decided), sum(path.exists() for path in decided), failures
    )
