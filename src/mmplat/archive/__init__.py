"""What campaigns hold on disk: packed into one archive for another lab, loaded from one, and what no campaign refers to."""

from mmplat.archive.garbage import Garbage, collect, delete
from mmplat.archive.loading import Loaded, load_campaign
from mmplat.archive.packing import Packed, pack_campaign

__all__ = ["Garbage", "Loaded", "Packed", "collect", "delete", "load_campaign", "pack_campaign"]
