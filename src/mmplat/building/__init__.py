"""building: a benchmark in the format of MM-SpuBench from one's own images and classes (docs/spubench-build.md).

read → select → describe → write → check → (people review) → release. Each stage is a module, is known by the content of what it
read, and keeps what it found in `spubench/<build>/` of the results.
"""

from mmplat.building.pipeline import DRAFTING, STAGES, draft
from mmplat.building.settings import BuildSpec, load_build
from mmplat.building.stages import Build, builds, open_build, run

__all__ = ["DRAFTING", "STAGES", "Build", "BuildSpec", "builds", "draft", "load_build", "open_build", "run"]
