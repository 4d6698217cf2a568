"""Results made elsewhere, as runs: one file per format; what they hold is joined, parsed and scored by our own rules.

A format reads files into questions and answers (base.py). Joining, scoring and recording are the same for all of them.
"""

from mmplat.importing._aggregates import record_results
from mmplat.importing._files import choose
from mmplat.importing._recording import Written, foreseen, record
from mmplat.importing._scoring import Imported, import_predictions
from mmplat.importing._sources import Source
from mmplat.importing.base import Answer, Format, Given, Question, Told, catalog

__all__ = [
    "Answer",
    "Format",
    "Given",
    "Imported",
    "Question",
    "Source",
    "Told",
    "Written",
    "catalog",
    "choose",
    "foreseen",
    "import_predictions",
    "record",
    "record_results",
]
