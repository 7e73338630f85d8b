"""How studies come along, and what they found, on the terminal."""

import time
from collections.abc import Sequence

import pandas as pd
from rich import progress as bars
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn

from maml_bench.cli.terminal import print_table
from maml_bench.study.run import Study
from maml_bench.study.tables import verdicts

COUNTED = (("holds",), ("violated",), ("not refuted", "inconclusive"), ("not applicable",))


class Progress:
    """What has been done of several studies: a bar where someone watches, else a line now and then."""

    LINE_SECONDS = 20

    def __init__(self, console: Console, sizes: Sequence[int]):
        self.console, self.sizes = console, list(sizes)
        self.study, self.done, self.violated, self.name = 0, 0, 0, ""
        self.start = self.last = time.monotonic()
        counted = (TextColumn("{task.description}"), BarColumn(bar_width=6), MofNCompleteColumn())
        columns = (
            *counted,
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}"),
        )
        self.bar = bars.Progress(*columns, console=console, transient=True) if console.is_terminal else None

    def __enter__(self):
        if self.bar:
            self.bar.start()
            self.task = self.bar.add_task("", total=sum(self.sizes), rate="", note="")
        return self

    def __exit__(self, *error):
        if self.bar:
            self.bar.stop()

    def begin(self, name: str) -> None:
        """The next study."""
        self.study, self.name = self.study + 1, name
        if self.bar:
            self.bar.update(self.task, description=f"study {self.study} of {len(self.sizes)}: {name}")
        else:
            self._line()

    def advance(self, violated: int) -> None:
        """One more case."""
        self.done += 1
        self.violated += violated
        if self.bar:
            note = f"{self.violated} viol." if self.violated else ""
            rate = self.done / max(time.monotonic() - self.start, 1e-9)
            self.bar.update(self.task, advance=1, rate=f"{rate:.1f}/s", note=note)
        elif time.monotonic() - self.last > self.LINE_SECONDS:
            self._line()

    def _line(self) -> None:
        self.last = time.monotonic()
        total, rate = sum(self.sizes), self.done / max(self.last - self.start, 1e-9)
        left = f", {rate:.1f} a second, about {(total - self.done) / rate:.0f} s left" if self.done else ""
        found = f", {self.violated} violated" if self.violated else ""
        print(
            f"study {self.study} of {len(self.sizes)}: {self.name}, {self.done} of {total} cases{left}{found}",
            file=self.console.file,
            flush=True,
        )


def print_findings(study: Study, table: pd.DataFrame) -> None:
    """Print a study's outcomes: a line for each claim and form."""
    rows = []
    for (claim, form), chosen in verdicts(table).groupby(["claim", "form"], sort=False):
        counts = [int(chosen["outcome"].isin(outcomes).sum()) for outcomes in COUNTED]
        rows.append([f"{claim}, {form}", *counts, float(chosen["ratio"].min()), float(chosen["ratio"].max())])
    header = ["claim, form", "holds", "viol.", "open", "n/a", "least", "most"]
    title = f"{study.question}\n(least and most: measured over bound)"
    if rows:
        print_table(header, rows, right=range(1, 7), title=title)
