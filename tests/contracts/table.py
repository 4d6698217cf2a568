"""The table of families × contracts: `make contracts` makes a tiny checkpoint of each architecture and checks them all."""

import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

sys.path.insert(0, str(Path(__file__).parents[1]))
from checkpoints import CHECKPOINTS

with TemporaryDirectory() as scratch:
    folders = [Path(scratch) / name for name in sorted(CHECKPOINTS)]
    for folder in folders:
        CHECKPOINTS[folder.name](folder)
    mmplat = Path(sys.executable).parent / "mmplat"
    sys.exit(subprocess.run([str(mmplat), "models", "check", *map(str, folders)], check=False).returncode)
