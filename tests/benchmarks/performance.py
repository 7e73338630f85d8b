"""How fast the bench is, in ratios: ``make benchmark``, or ``python tests/benchmarks/performance.py``.

Writes ``performance.md``, ``performance.json`` and ``ratios.svg``: the hot paths over their floors and beside JAX and
PyTorch, and that ratio over the one of the table that stood in the folder; the time to a verdict beside plain sampling;
exponents of cost; and what a second worker adds. Only ratios are comparable between machines, or between runs.
"""

import json
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import costs
import numpy as np
import peers
import verdict_times
from hot_paths import REPLICATES, SETTING, HotPath, hot_paths
from threadpoolctl import threadpool_limits

from maml_bench.montecarlo.workers import keep_memory

ROUNDS, SECONDS = 5, 0.15
TITLES = {"floor": "time / floor", "numpy": "/ with NumPy's sines", "jax": "JAX / time", "torch": "PyTorch / time"}
"""What is compared, as a column: over the first two a path should be small, and a peer over it large."""

INTRO = """# How fast?

Ratios from one run on one machine, medians of interleaved rounds of processor time on one thread.

## Hot paths

A floor draws the same random numbers and takes the same special functions, and does nothing else. Sines are those of
the bench, by half angles where NumPy has many tangents at a time; the second column has NumPy's own in their place. A
peer is the same program for one point, mapped over tasks and replicates (JAX compiles it), in doubles. Trigonometric
tasks where no family is named (d = 20, Q = 10, N = 5, 8 tasks, 256 replicates). `change` compares `time / floor` with
the table before.

"""
VERDICTS = """
## Time to a verdict

Seconds of processor time at the reference setting of `summary` (trigonometric tasks; `thm1`: 50 meta-iterations) until
a claim is decided at 1 %, and until limits are within 1 % of the value, which decides a bound that is 1 % off; `>`:
not in time. Plain sampling has Student's limits after every doubling, uncorrected: a cheaper test, not an equal one.
Certified limits hold at every look and whatever the law; exact values need no replicate.

"""
COSTS = """
## Growth of the cost

Exponent of the processor time of a stochastic meta gradient with Gaussian smoothing in each parameter (d: rank-one
tasks).

"""
WORKERS = """
## A second worker

Wall time of one worker over that of two, and of two independent processes with the same calls, rounds interleaved: the
machine sets the second, and whatever else runs on it both.

"""


def cost(function, seconds: float) -> float:
    """Processor time of one call, from as many as fit into ``seconds``."""
    calls, start = 0, time.process_time()
    while True:
        function()
        calls += 1
        spent = time.process_time() - start
        if spent >= seconds:
            return spent / calls


def compared(name: str, path: HotPath, others: Mapping[str, Mapping[str, Callable]]) -> dict[str, Callable]:
    """What a path is measured against, by the columns of `TITLES`."""
    found = {"floor": path.floor} | ({"numpy": path.numpys} if path.numpys else {})
    return found | {peer: programs[name] for peer, programs in others.items() if name in programs}


def measured(
    paths: Mapping[str, HotPath],
    others: Mapping[str, Mapping[str, Callable]] | None = None,
    rounds: int = ROUNDS,
    seconds: float = SECONDS,
) -> dict[str, dict[str, float]]:
    """Path over floor, with the bench's sines and NumPy's, and peer over path, by path and column."""
    against = {name: compared(name, path, others or {}) for name, path in paths.items()}
    ratios: dict[str, dict[str, list[float]]] = {name: {key: [] for key in entry} for name, entry in against.items()}
    keep_memory()  # as the workers do
    with threadpool_limits(1):
        for name, path in paths.items():  # warm up
            path.run()
            for function in against[name].values():
                function()
        for _ in range(rounds):
            for name, path in paths.items():
                ours = cost(path.run, seconds)
                for key, function in against[name].items():
                    theirs = cost(function, seconds)
                    ratios[name][key].append(theirs / ours if key in peers.TITLES else ours / theirs)
    return {name: {key: float(np.median(v)) for key, v in entry.items()} for name, entry in ratios.items()}


def table(now: Mapping[str, Mapping[str, float]], before: Mapping, words: Mapping[str, str]) -> str:
    """The Markdown table; a peer that is not installed has no column."""
    columns = [key for key in TITLES if any(key in entry for entry in now.values())]
    titles = " | ".join(TITLES[key] for key in columns)
    lines = [f"| hot path | {titles} | change | the floor |", f"| --- |{' ---: |' * (len(columns) + 1)} --- |"]
    for name, entry in now.items():
        cells = " | ".join(f"{entry[key]:.2f}" if key in entry else "" for key in columns)
        change = f"×{entry['floor'] / before[name]['floor']:.2f}" if name in before else "–"
        lines.append(f"| {name} | {cells} | {change} | {words[name]} |")
    return "\n".join(lines) + "\n"


def pairs(values: Mapping[str, float]) -> str:
    """A table of one row."""
    rows = (values, ["---:"] * len(values), [f"{value:.2f}" for value in values.values()])
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def figure(now: Mapping[str, Mapping[str, float]], path: Path) -> None:
    """A bar a path, and a line at the floor."""
    import matplotlib as mpl

    mpl.use("agg")
    import matplotlib.pyplot as plt

    fig, axes = plt.subplots(figsize=(6.4, 0.4 * len(now) + 1), layout="constrained")
    axes.barh(list(now)[::-1], [entry["floor"] for entry in now.values()][::-1], color="#4477aa")
    axes.axvline(1, color="black", linewidth=1)
    axes.set_xscale("log")
    axes.set_xlabel("time over that of the floor")
    fig.savefig(path, metadata={"Date": None})


def main(folder: str = "reports/performance") -> None:
    home, paths = Path(folder), hot_paths()
    record = home / "performance.json"
    before = json.loads(record.read_text()) if record.exists() else {}
    now = {
        "hot paths": measured(paths, {peer: peers.timed(peer, SETTING, REPLICATES) for peer in peers.NAMES}),
        "exponents": costs.exponents(),
        "workers": costs.second_worker(),
    }
    words = {name: path.words for name, path in paths.items()}
    absent = " and ".join(title for peer, title in peers.TITLES.items() if peer not in peers.NAMES)
    text = [
        INTRO + table(now["hot paths"], before.get("hot paths", {}), words),
        f"\nNot installed, so not compared: {absent} (the extra `peers`).\n" if absent else "",
        "\n![ratios](ratios.svg)\n",
        VERDICTS + verdict_times.table(),
        COSTS + pairs(now["exponents"]),
        WORKERS + pairs(now["workers"]),
    ]
    home.mkdir(parents=True, exist_ok=True)
    record.write_text(json.dumps(now, indent=1) + "\n")
    (home / "performance.md").write_text("".join(text))
    figure(now["hot paths"], home / "ratios.svg")
    print("".join(text))


if __name__ == "__main__":
    main(*sys.argv[1:])
