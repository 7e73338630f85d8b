"""What the settings of many studies share: inner steps in units of 1/L, or shrinking with their number."""

from maml_bench.adaptation import InnerLoop
from maml_bench.problems.finite_sum import TaskPairs
from maml_bench.problems.protocol import Tasks

SHRINKING = "1/(8N)"
"""How tables show the step that shrinks with the number of steps."""


def inner_loop(tasks: Tasks | TaskPairs, alpha_l: float | None, steps: int, **batches: int) -> InnerLoop:
    """``steps`` steps of size ``alpha_l/L``; without a value, alpha L = 1/(8N)."""
    return InnerLoop((alpha_l or 1 / (8 * steps)) / tasks.regularity.L, steps, **batches)
