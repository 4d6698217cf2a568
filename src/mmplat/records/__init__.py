"""The nouns of mmplat as values: what rooms pass to each other and what crosses a file.

Pydantic (frozen, no unknown keys) for what is written to or read from a file; names are those of docs/architecture.md.
They are imported from here; the files only put together what is read together.
"""

from mmplat.records.axes import (
    MACHINE_SETTINGS,
    ConditionSpec,
    DecodingSpec,
    MethodSpec,
    ModelSpec,
    Needs,
    SuiteSpec,
    TrainingSpec,
    ViewSpec,
)
from mmplat.records.base import Record
from mmplat.records.batches import PLACES, Batch, BatchSuite, Demand, Shard, Writing
from mmplat.records.questions import Prompt, Sample
from mmplat.records.runs import (
    IMPORTED,
    Cell,
    MetricRecord,
    RunRecord,
    RunStatus,
    identifying,
    measured_run_id,
)

__all__ = [
    "IMPORTED",
    "MACHINE_SETTINGS",
    "PLACES",
    "Batch",
    "BatchSuite",
    "Cell",
    "ConditionSpec",
    "DecodingSpec",
    "Demand",
    "MethodSpec",
    "MetricRecord",
    "ModelSpec",
    "Needs",
    "Prompt",
    "Record",
    "RunRecord",
    "RunStatus",
    "Sample",
    "Shard",
    "SuiteSpec",
    "TrainingSpec",
    "ViewSpec",
    "Writing",
    "identifying",
    "measured_run_id",
]
