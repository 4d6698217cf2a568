"""Fine-tuning: a recipe's items under conditions → a checkpoint or an adapter that a grid asks like any other model.

`train` is the verb; the recipe is read in `recipes`, and prompts are those of `models/`, token for token.
"""

from mmplat.training.run import train

__all__ = ["train"]
