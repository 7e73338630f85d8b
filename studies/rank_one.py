"""Rank-one matrix factorization (Figure 1 of arXiv 2002.07836), as specified and as released."""

from maml_bench.algorithms.replay import rank_one as replay

__all__ = ["replay"]
