"""notes: sentences that argue towards an answer without naming it, in files, and what is wrong with them (docs/misleading.md)."""

from mmplat.notes.checking import flags_of
from mmplat.notes.files import Direction, Note, read_notes, write_notes

__all__ = ["Direction", "Note", "flags_of", "read_notes", "write_notes"]
