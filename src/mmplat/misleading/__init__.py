"""misleading: material for misleading instructions: notes with their checks, and benchmarks of what misled (docs/misleading.md)."""
