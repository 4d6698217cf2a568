"""mmplat: how robust is a multimodal model, and what makes it more robust? Ask once, decide often.

Start reading at docs/architecture.md, then the Snakefile.
"""

__version__ = "0.1.0"
