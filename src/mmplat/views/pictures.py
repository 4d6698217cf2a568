"""Views that replace the picture itself: what the modality interference paper calls full black and full white."""

from mmplat.views.base import ViewKind, catalog, grey

catalog.add("black", ViewKind("black", "a black picture of the same size", "picture", transform=grey(0), constant=True))
catalog.add(
    "white", ViewKind("white", "a white picture of the same size", "picture", transform=grey(255), constant=True)
)
