"""Sine regression (Section 5.2 of arXiv 2002.07836), as specified and as released."""

from maml_bench.algorithms.replay import sine as replay

__all__ = ["replay"]
