"""The experiments of arXiv 2002.07836 on given data: as the paper specifies them, and as the released program runs them.

Nothing is drawn here. Data, starting point and Gaussian directions are arguments, so that a run can be compared number
by number with another program's. ``protocol`` is ``"specified"`` (Algorithms 1 and 2), ``"released"``, or a set of the
deviations that make the difference between the two, each a fact about the released program:

``"collapsed-loss"`` (rank-one)
    The loss is ``(||w||^2 - ||x||^2)^2 / 4``: a product of two vectors is their scalar product, no matrix is formed.
``"one-step-maml"``
    MAML takes one inner step, whatever N, and does not differentiate through it: its meta gradient is that of the
    target loss at ``w - alpha grad l(w; support)``.
``"first-order-maml"``
    MAML takes its N inner steps but does not differentiate through them, so it is first-order MAML.
``"doubled-step"``
    The other three methods take inner steps of ``2 alpha``; the Hessian factors keep ``alpha``.
``"aliased-difference"``
    GGS subtracts ``2 (grad l(w))_1`` from every component of ``grad l(w + nu u)``, in place of ``grad l(w)``.
``"fixed-directions"``
    The directions of the first iteration serve all iterations.

The released rank-one program has all but ``"first-order-maml"``; the released sine program has ``"first-order-maml"``
and ``"fixed-directions"`` only.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from maml_bench.adaptation import exact_path
from maml_bench.checks import array, last_axis, positive
from maml_bench.hessians import DirectionMean
from maml_bench.problems.rank_one import RankOne
from maml_bench.problems.sine import NETWORK, SineRegression

METHODS = ("maml", "first-order", "ggs", "zeroth-order")
GENERAL = frozenset({"one-step-maml", "first-order-maml", "doubled-step", "aliased-difference", "fixed-directions"})
RANK_ONE = GENERAL | {"collapsed-loss"}
RELEASED_RANK_ONE = RANK_ONE - {"first-order-maml"}
RELEASED_SINE = frozenset({"first-order-maml", "fixed-directions"})
