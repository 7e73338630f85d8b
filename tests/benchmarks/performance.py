"""How fast the bench is, in ratios: ``make benchmark``, or ``python tests/benchmarks/performance.py``.

Writes ``report.md``, ``performance.json`` and two drawings: the hot paths over their floors and beside JAX and PyTorch,
and that ratio over the one of the table that was committed last; peers on two threads; the time to a verdict beside
plain sampling; a whole study; exponents of cost, and what the largest problems take; and what a second worker adds.
Only ratios are comparable between machines, or between runs.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import costs
import drawings
import numpy as np
import peers
import two_threads
import verdict_times
from hot_paths import REPLICATES, SETTING, HotPath, hot_paths
from threadpoolctl import threadpool_limits

from maml_bench.montecarlo.workers import keep_memory
from maml_bench.study.findings import origin
from maml_bench.study.run import jobs
from studies.inner_path import STUDY

ROUNDS, SECONDS = 5, 0.15
TITLES = {
    "floor": "time / floor",
    "library": "/ with libraries'",
    "jax": "JAX / time",
    "torch": "PyTorch / time",
}
"""What is compared, as a column: over the first two a path should be small, and a peer over it large."""

ALLOWED = 60.0
"""Seconds of processor time that the full study ``inner-path`` may take."""

ROOT = Path(__file__).parents[2]
RECORD = "reports/performance/performance.json"
QUICK = ("prop2-second", "prop3", "prop6", "prop1")
"""Claims of a first look."""

INTRO = """# How fast?

Ratios from one run on one machine, medians of interleaved rounds of processor time on one thread. {origin} as it began.
`change` compares with {before}.

## Hot paths

A floor draws the same random numbers and takes the same special functions, and does nothing else. Sines and logistic
functions are those of the bench, by tangents of half angles and by exponentials; the second column has NumPy's and
SciPy's own in their place. A peer is the same program for one point, mapped over tasks and replicates (JAX compiles
it), in doubles; over the floor alone, it says what no program on the same normals and sines can exceed. Trigonometric
tasks where no family is named (d = 20, Q = 10, N = 5, 8 tasks, 256 replicates). `change` is that of `time / floor`,
where the floor does the same as before: below 1 the path has become faster.

"""
VERDICTS = """
## Time to a verdict

"""
WHOLE = f"""
## A whole study

Processor time of all cases of the study `inner-path`, one after another, beside the {ALLOWED:g} s that it may take.

"""
COSTS = """
## Growth of the cost

Exponent of the processor time of a stochastic meta gradient with Gaussian smoothing in each parameter (d: rank-one
tasks).

"""
LARGEST = """
`prop1` at d = 300 with 10 tasks, of the {:g} s of processor time that it may take; and the memory of one meta gradient
with ten directions at d = 10⁶, of the {:g} GB:

"""
THREADS = """
## Two threads each

Wall time of a peer on two threads over that of two workers of the bench, for the same replicates altogether. What the
workers wait for each other's Python code counts less in larger blocks; the bench gives them about 1,600 replicates of
such an inner path.

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
    found, same = {"floor": path.floor} | ({"library": path.librarys} if path.librarys else {}), path.peer or name
    return found | {peer: programs[same] for peer, programs in others.items() if same in programs}


def measured(
    paths: Mapping[str, HotPath],
    others: Mapping[str, Mapping[str, Callable]] | None = None,
    rounds: int = ROUNDS,
    seconds: float = SECONDS,
) -> dict[str, dict[str, float]]:
    """Path over floor, with the bench's functions and the libraries', and peer over path, by path and column."""
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


def comparable(before: Mapping[str, Any], floors: Mapping[str, str]) -> dict[str, dict[str, float]]:
    """The hot paths of an earlier record whose floors did what they do now."""
    then = before.get("floors", {})
    return {name: entry for name, entry in before.get("hot paths", {}).items() if then.get(name) == floors[name]}


def pairs(values: Mapping[str, float]) -> str:
    """A table of one row."""
    rows = (values, ["---:"] * len(values), [f"{value:.2f}" for value in values.values()])
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def whole(study, quick: bool = False) -> dict[str, float]:
    """Processor time of a study's cases, and their number."""
    found, start = jobs(study, quick), time.process_time()
    for job in found:
        job.found(workers=1)
    return {"cases": len(found), "seconds": time.process_time() - start}


def study_table(now: Mapping[str, float], before: Mapping[str, float]) -> str:
    """A table of one row; the change is that of the time of a case."""
    each = [entry["seconds"] / entry["cases"] for entry in (now, before) if entry]
    change = f"×{each[0] / each[1]:.2f}" if before else "–"
    row = f"{now['cases']} | {now['seconds']:.1f} | {now['seconds'] / ALLOWED:.2f} | {change}"
    return f"| cases | seconds | of the {ALLOWED:g} s | change |\n| ---: | ---: | ---: | ---: |\n| {row} |\n"


def committed() -> tuple[dict, str]:
    """The record that was committed last, and in words which it is."""

    def git(*arguments):
        return subprocess.run(["git", "-C", ROOT, *arguments], capture_output=True, text=True, check=True).stdout

    try:
        return json.loads(
            git("show", f"HEAD:{RECORD}")
        ), f"the table of commit {git('log', '-1', '--format=%h', RECORD).strip()}"
    except (OSError, subprocess.CalledProcessError):
        return {}, "no table: none is committed"


def say(words: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {words}", file=sys.stderr, flush=True)


def run(quick: bool = False) -> dict[str, Any]:
    """Everything measured, by section, telling how it comes along."""
    now: dict[str, Any] = {"origin": origin() | {"load": os.getloadavg()[0]}, "verdicts": {}}
    paths, rounds, seconds = hot_paths(), 1 if quick else ROUNDS, 0.02 if quick else SECONDS
    say(f"{len(paths)} hot paths, beside {' and '.join(peers.TITLES[name] for name in peers.NAMES) or 'no peer'}")
    others = {peer: peers.timed(peer, SETTING, REPLICATES) for peer in peers.NAMES}
    now["floors"] = {name: path.words for name, path in paths.items()}
    now["hot paths"] = measured(paths, others, rounds, seconds)
    rows = {title: row for title, row in verdict_times.rows().items() if not quick or title in QUICK}
    timings = verdict_times.measured(rows, *((1.0, 1) if quick else ()))
    for number, (title, entry) in enumerate(timings, 1):
        now["verdicts"][title] = entry
        say(f"verdict {number} of {len(rows)}: {title}")
    say("the study inner-path")
    now["study"] = whole(STUDY, quick)
    if peers.NAMES:
        say("peers on two threads")
        now["two threads"] = two_threads.measured(rounds if quick else 9, seconds)
    say("exponents, the largest, workers")
    rounds, calls = (1, 1) if quick else (9, 8)
    now["exponents"], now["largest"] = costs.exponents(min(rounds, 5)), costs.largest()
    return now | {"workers": costs.second_worker(rounds, calls)}


def told(now: Mapping[str, Any], before: Mapping[str, Any], words: str) -> str:
    """The report."""
    made = now["origin"]
    origin = f"{made['date']}, commit {made['commit']}; {made['versions']}; {made['machine']}, load {made['load']:.1f}"
    floors = now["floors"]
    measured_peers = {key for entry in now["hot paths"].values() for key in entry}
    absent = " and ".join(title for peer, title in peers.TITLES.items() if peer not in measured_peers)
    text = (
        INTRO.format(origin=origin, before=words) + table(now["hot paths"], comparable(before, floors), floors),
        f"\nNot installed, so not compared: {absent} (the extra `peers`).\n" if absent else "",
        "\n![hot paths](ratios.svg)\n",
        THREADS + two_threads.table(now["two threads"]) if "two threads" in now else "",
        VERDICTS + verdict_times.caption(now["verdicts"]),
        verdict_times.table(now["verdicts"], before.get("verdicts", {})),
        "\n![verdicts](verdicts.svg)\n",
        WHOLE + study_table(now["study"], before.get("study", {})),
        COSTS + pairs(now["exponents"]),
        LARGEST.format(*costs.ALLOWED.values()) + pairs(now["largest"]),
        WORKERS + pairs(now["workers"]),
    )
    return "".join(text)


def write(home: Path, now: Mapping[str, Any], before: Mapping[str, Any], words: str) -> None:
    home.mkdir(parents=True, exist_ok=True)
    (home / "performance.json").write_text(json.dumps(now, indent=1) + "\n")
    (home / "report.md").write_text(told(now, before, words))
    (home / "ratios.svg").write_text(drawings.ratios(now["hot paths"], comparable(before, now["floors"])))
    (home / "verdicts.svg").write_text(drawings.verdicts(now["verdicts"]))


def main(folder: str = "reports/performance", *options: str) -> None:
    write(Path(folder), run(quick="--quick" in options), *committed())
    print((Path(folder) / "report.md").read_text())


if __name__ == "__main__":
    main(*sys.argv[1:])
