"""MME's scores: accuracy plus accuracy+ in per cent, per subtask and added up. Papers mean different sums by "MME"; here each has
a name of its own."""

from mmplat.metrics.base import Total, catalog

COARSE = ("existence", "count", "position", "color")
FINE = ("posters", "celebrity", "scene", "landmark", "artwork", "OCR")
COGNITION = ("commonsense_reasoning", "numerical_calculation", "text_translation", "code_reasoning")

for _name, _groups, _summary in (
    ("mme_score", (), "accuracy + accuracy+ in per cent, added up over the subtasks there are: at most 200 each"),
    ("mme_perception", COARSE + FINE, "MME's perception total over its 10 subtasks: at most 2000"),
    ("mme_cognition", COGNITION, "MME's cognition total over its 4 subtasks: at most 800"),
    ("mme_total_8", COARSE + COGNITION, "total of the 8 subtasks that LLaVA-Align reports: at most 1600"),
):
    catalog.add(
        _name, Total(_name, _summary, of=("accuracy", "accuracy_plus"), by="subtask", groups=_groups, version=2)
    )
