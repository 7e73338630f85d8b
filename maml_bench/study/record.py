"""Where findings come from: what a study was asked for, and the commits, days and machines that its rows are of."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from maml_bench.study.text import save

FILE = "run.json"
UNKNOWN = "unrecorded"


@dataclass(frozen=True)
class Origin:
    """Of the findings of one study, or of several.

    Attributes
    ----------
    kinds, seeds : tuple of str
        What was asked for: ``full`` or ``quick``; several where studies differ.
    rows : int
    commits : dict
        How many rows are of each; ``+`` after a commit: with changes that were not committed.
    dates, versions, machines : tuple of str
    """

    kinds: tuple[str, ...]
    seeds: tuple[str, ...]
    rows: int
    commits: dict[str, int]
    dates: tuple[str, ...]
    versions: tuple[str, ...]
    machines: tuple[str, ...]

    @property
    def kind(self) -> str:
        """In two words, for all studies together."""
        words = {("full",): "Full run", ("quick",): "Quick look", ("full", "quick"): "Full and quick studies mixed"}
        return words.get(self.kinds, "Run of unrecorded size")

    @property
    def options(self) -> str:
        """What a study's command needs, to find these rows again."""
        seeds = [f" --seed {seed}" for seed in self.seeds if seed not in ("0", UNKNOWN)]
        return "".join([" --quick" if self.kinds == ("quick",) else "", *seeds[:1]])

    def __str__(self):
        dates = " to ".join(dict.fromkeys((self.dates[0], self.dates[-1]))) if self.dates else "day unrecorded"
        seeds = f"seed {', '.join(self.seeds)}"
        made = [f"{self.kind}, {seeds}, {dates}; {self.rows} rows of {self.of_commits}", *self.versions, *self.machines]
        return "; ".join(made) + "."

    @property
    def of_commits(self) -> str:
        """The commits, with the number of rows of each where there are several."""
        if len(self.commits) == 1:
            return f"commit {next(iter(self.commits))}"
        return "commits " + ", ".join(f"{name} ({count} rows)" for name, count in self.commits.items())


def write(folder: Path, *, quick: bool, seed: int) -> None:
    """Write down what a study was asked for, beside its findings."""
    save(folder / FILE, json.dumps({"kind": "quick" if quick else "full", "seed": seed}) + "\n")


def origin(table: pd.DataFrame, folders: Iterable[Path]) -> Origin:
    """Of findings, and of the studies in whose folders they are."""
    paths = [folder / FILE for folder in folders]
    asked = [json.loads(path.read_text()) if path.exists() else {} for path in paths]
    kinds, seeds = (sorted({str(made.get(name, UNKNOWN)) for made in asked}) for name in ("kind", "seed"))
    commits = table["commit"].replace("", UNKNOWN).value_counts()
    told = (tuple(sorted(set(table[name]) - {""})) for name in ("date", "versions", "machine"))
    return Origin(tuple(kinds), tuple(seeds), len(table), {str(k): int(n) for k, n in commits.items()}, *told)
