"""The results store: an SQL index over the files of the campaigns, and the only writer of SQL.

Files are the truth: everything here can be rebuilt from them (`rebuild`). Readers go through
`mmplat.leaderboard`.
"""

from mmplat.store.backup import Backup, backup, restore
from mmplat.store.decided import DecidedFolder, campaigns_on_disk, decided_folders, undecided
from mmplat.store.engine import engine_of, hidden, is_out_of_reach, reason_of, store_url
from mmplat.store.migrate import check, current, differences, downgrade, ensure, head, migrations_folder, upgrade
from mmplat.store.models import Base
from mmplat.store.publishing import Published, Rebuilt, publish, rebuild
from mmplat.store.recorded import Origin, Recorded, origin_of, recorded

__all__ = [
    "Backup",
    "Base",
    "DecidedFolder",
    "Origin",
    "Published",
    "Rebuilt",
    "Recorded",
    "backup",
    "campaigns_on_disk",
    "check",
    "current",
    "decided_folders",
    "differences",
    "downgrade",
    "engine_of",
    "ensure",
    "head",
    "hidden",
    "is_out_of_reach",
    "migrations_folder",
    "origin_of",
    "publish",
    "reason_of",
    "rebuild",
    "recorded",
    "restore",
    "store_url",
    "undecided",
    "upgrade",
]
