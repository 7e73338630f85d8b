"""Peers on two threads beside two workers of the bench, in wall time: ``python tests/benchmarks/two_threads.py``.

Prints the ratios as JSON. A program of its own, since JAX takes its threads once, as it starts.
"""

import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import peers
from costs import elapsed
from hot_paths import SETTING, trigonometric

from maml_bench.montecarlo.sequence import block_generator
from maml_bench.montecarlo.workers import Workers

SIZES = (256, 1024)
"""Replicates a thread: those of the hot paths, and about what the bench gives a block."""

Ratios = Mapping[str, Mapping[str, float]]


def pair(name: str, replicates: int) -> Callable[[], list]:
    """A hot path on two workers, each with so many replicates and a stream of its own."""
    runs = [trigonometric(block_generator(0, worker), replicates)[name].run for worker in range(2)]
    return lambda: Workers(2).map([(run,) for run in runs])


def ratios(rounds: int = 9, seconds: float = 0.1) -> dict[str, dict[str, float]]:
    """Wall time of every installed peer over ours, for the same replicates altogether: medians of interleaved rounds.

    By path and by column, a peer and the replicates a thread.
    """
    found: dict[str, dict[str, float]] = {}
    for size in SIZES:
        for peer in peers.NAMES:
            for name, theirs in peers.timed(peer, SETTING, 2 * size, threads=2).items():
                times = [(_call(theirs, seconds), _call(pair(name, size), seconds)) for _ in range(rounds)]
                found.setdefault(name, {})[f"{peer} {size}"] = float(np.median([peer / ours for peer, ours in times]))
    return found


def _call(run, seconds):
    run()
    calls = max(1, round(seconds / elapsed(run)))
    return elapsed(lambda: [run() for _ in range(calls)]) / calls


def measured(rounds: int, seconds: float) -> dict[str, dict[str, float]]:
    """`ratios` in a new process."""
    program = [sys.executable, str(Path(__file__)), str(rounds), str(seconds)]
    return json.loads(subprocess.run(program, check=True, stdout=subprocess.PIPE, text=True).stdout)


def table(found: Ratios) -> str:
    """The Markdown table."""
    columns = list(next(iter(found.values())))
    titles = [f"{peers.TITLES[peer]} / time, {size} a thread" for peer, size in map(str.split, columns)]
    lines = [f"| hot path | {' | '.join(titles)} |", f"| --- |{' ---: |' * len(columns)}"]
    lines += [f"| {name} | {' | '.join(f'{row[key]:.2f}' for key in columns)} |" for name, row in found.items()]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(json.dumps(ratios(int(sys.argv[1]), float(sys.argv[2])) if len(sys.argv) > 2 else ratios()))
