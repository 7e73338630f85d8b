"""How far the hot paths are from their floors: ``make benchmark``, or ``python tests/benchmarks/performance.py``.

Writes ``performance.md``, ``performance.json`` and ``ratios.svg``. Only ratios are told, each from one run on one
machine: path over floor, and that ratio over the one of the table that stood in the folder.
"""

import json
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from hot_paths import HotPath, hot_paths
from threadpoolctl import threadpool_limits

from maml_bench.montecarlo.workers import keep_memory

ROUNDS, SECONDS = 5, 0.2


def cost(function, seconds: float) -> float:
    """Processor time of one call, from as many as fit into ``seconds``."""
    calls, start = 0, time.process_time()
    while True:
        function()
        calls += 1
        spent = time.process_time() - start
        if spent >= seconds:
            return spent / calls


def measured(paths: Mapping[str, HotPath], rounds: int = ROUNDS, seconds: float = SECONDS) -> dict[str, float]:
    """Path over floor, by name: the median of interleaved rounds on one BLAS thread."""
    ratios: dict[str, list[float]] = {name: [] for name in paths}
    keep_memory()  # as the workers do
    with threadpool_limits(1):
        for path in paths.values():  # warm up
            path.run(), path.floor()
        for _ in range(rounds):
            for name, path in paths.items():
                ratios[name].append(cost(path.run, seconds) / cost(path.floor, seconds))
    return {name: float(np.median(values)) for name, values in ratios.items()}


def table(now: Mapping[str, float], before: Mapping[str, float], words: Mapping[str, str]) -> str:
    """The Markdown table."""
    lines = ["| hot path | time / floor | change | the floor |", "| --- | ---: | ---: | --- |"]
    for name, ratio in now.items():
        change = f"×{ratio / before[name]:.2f}" if name in before else "–"
        lines.append(f"| {name} | {ratio:.2f} | {change} | {words[name]} |")
    return "\n".join(lines) + "\n"


def figure(now: Mapping[str, float], path: Path) -> None:
    """A bar a path, and a line at the floor."""
    import matplotlib as mpl

    mpl.use("agg")
    import matplotlib.pyplot as plt

    fig, axes = plt.subplots(figsize=(6.4, 0.4 * len(now) + 1), layout="constrained")
    axes.barh(list(now)[::-1], list(now.values())[::-1], color="#4477aa")
    axes.axvline(1, color="black", linewidth=1)
    axes.set_xlabel("time over that of the floor")
    fig.savefig(path, metadata={"Date": None})


def main(folder: str = "reports/performance") -> None:
    home, paths = Path(folder), hot_paths()
    record = home / "performance.json"
    before = json.loads(record.read_text()) if record.exists() else {}
    now = measured(paths)
    home.mkdir(parents=True, exist_ok=True)
    record.write_text(json.dumps(now, indent=1) + "\n")
    words = {name: path.words for name, path in paths.items()}
    intro = (
        "# How far from the floor?\n\n"
        "Processor time of a hot path over that of its floor: the same random numbers and the same special functions,\n"
        "and nothing else. Medians of interleaved rounds on one thread, trigonometric tasks where no family is named\n"
        "(d = 20, Q = 10, N = 5, 8 tasks, 256 replicates). `change` compares with the table before.\n\n"
    )
    (home / "performance.md").write_text(intro + table(now, before, words) + "\n![ratios](ratios.svg)\n")
    figure(now, home / "ratios.svg")
    print(table(now, before, words))


if __name__ == "__main__":
    main(*sys.argv[1:])
