"""What ``maml-bench train`` prints: a bar while it runs, and the gradient norm along the runs."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from maml_bench.algorithms import Run
from maml_bench.cli.terminal import print_table

PATIENCE = 2.0
"""Seconds after which a bar is shown."""

ROWS = 10


@contextmanager
def meter(label: str) -> Iterator[Callable[[int, int], None]]:
    """A function of what is done and of the total, that shows a bar once it has taken longer than `PATIENCE`."""
    began, task = time.perf_counter(), None
    columns = (TextColumn("{task.description}"), BarColumn(bar_width=20), MofNCompleteColumn(), TimeRemainingColumn())
    bar = Progress(*columns, console=Console(stderr=True), transient=True)

    def show(done: int, total: int) -> None:
        nonlocal task
        if task is None and done < total and time.perf_counter() - began > PATIENCE:
            bar.start()
            task = bar.add_task(label, total=total)
        if task is not None:
            bar.update(task, completed=done)

    try:
        yield show
    finally:
        if task is not None:
            bar.stop()


def summary(run: Run) -> list[dict]:
    """At iterations on a logarithmic scale: mean and deciles over the runs that have not diverged."""
    iterations, replicates = run.gradient_norm.shape
    chosen = np.unique(np.geomspace(1, iterations, ROWS).round().astype(int)) - 1
    rows = []
    for k in chosen:
        norms, objective = run.gradient_norm[k], run.objective[k]
        left, known = norms[~np.isnan(norms)], objective[~np.isnan(objective)]
        with np.errstate(invalid="ignore"):  # a run about to diverge may have an infinite gradient, and no objective
            low, high = np.quantile(left, [0.1, 0.9]) if left.size else (np.nan, np.nan)
        rows.append(
            {
                "iteration": int(k),
                "gradient_norm": float(left.mean()) if left.size else np.nan,
                "low": float(low),
                "high": float(high),
                "objective": float(known.mean()) if known.size else np.nan,
                "diverged": int(replicates - left.size),
            }
        )
    return rows


def print_run(run: Run) -> None:
    """Print the course of the runs and what they spent."""
    iterations, replicates = run.gradient_norm.shape
    rows = [[f"{x:.4g}" if isinstance(x, float) else x for x in row.values()] for row in summary(run)]
    print_table(
        ["iteration", "||grad calL||", "10 %", "90 %", "calL", "diverged"],
        rows,
        right=range(6),
        title=f"{replicates} runs of {iterations} meta-iterations",
    )
    spent = ", ".join(f"{count:,} {name.replace('_', '-')}" for name, count in asdict(run.samples).items() if count)
    print(f"samples a run: {spent}")
    if run.diverged.any():
        print(f"diverged: {run.diverged.sum()} of {replicates} runs")


def run_as_dict(run: Run) -> dict:
    """The runs, for `print_json`; numbers of a run that diverged are NaN."""
    arrays = {name: getattr(run, name).tolist() for name in ("diverged", "w", "gradient_norm", "objective")}
    return {"samples": asdict(run.samples), **arrays}
