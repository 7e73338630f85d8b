"""What changed between two runs: outcomes, ratios beyond both their limits, rows that came or went, and times."""

import textwrap
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from maml_bench.study import record
from maml_bench.study.findings import FILE, load
from maml_bench.study.record import Origin
from maml_bench.study.site import environment
from maml_bench.study.tables import verdicts, where
from maml_bench.study.text import number


@dataclass(frozen=True)
class Change:
    """One row whose finding differs."""

    study: str
    claim: str
    form: str
    problem: str
    where: str
    before: str
    after: str


@dataclass(frozen=True)
class Comparison:
    """Two runs, of which the first came before.

    Attributes
    ----------
    origins : two Origin
        See `maml_bench.study.record`.
    common : int
        Verdicts in both.
    outcomes, ratios : list of Change
        Verdicts that ended otherwise; and values whose limits exclude each other, with one outcome.
    only_before, only_after : int
        Verdicts in one run alone.
    seconds : list of (str, float, float)
        Study, and its time in either run.
    """

    origins: tuple[Origin, Origin]
    common: int
    outcomes: list[Change]
    ratios: list[Change]
    only_before: int
    only_after: int
    seconds: list[tuple[str, float, float]]

    @property
    def changed(self) -> bool:
        """Whether anything but a time differs."""
        return bool(self.outcomes or self.ratios or self.only_before or self.only_after)


def compare(before: Path, after: Path) -> Comparison:
    """Compare the findings in two folders of reports.

    Raises
    ------
    FileNotFoundError
        If one of them has none.
    """
    tables = load(before), load(after)
    first, second = map(_rows, tables)
    seconds = tuple(map(_seconds, tables))
    outcomes, ratios = [], []
    for name in (name for name in first if name in second):
        old, new = first[name], second[name]
        if old["outcome"] != new["outcome"]:
            outcomes.append(_change(new, old["outcome"], new["outcome"]))
        elif _apart(old, new):
            ratios.append(_change(new, _value(old), _value(new)))
    return Comparison(
        (_origin(tables[0], before), _origin(tables[1], after)),
        sum(name in second for name in first),
        outcomes,
        ratios,
        sum(name not in second for name in first),
        sum(name not in first for name in second),
        [(name, seconds[0].get(name, 0.0), seconds[1].get(name, 0.0)) for name in sorted({*seconds[0], *seconds[1]})],
    )


def _origin(table: pd.DataFrame, folder: Path) -> Origin:
    """A folder of reports has a folder for each study; that of one study is its own."""
    return record.origin(
        table, [folder] if (folder / FILE).exists() else [folder / name for name in set(table["study"])]
    )


def _rows(table: pd.DataFrame) -> dict[tuple, pd.Series]:
    """Verdicts by what they are about, in words: keys would differ as soon as any code did."""
    rows = [row for _, row in verdicts(table).iterrows()]
    return {
        tuple(str(row[name]) for name in ("study", "claim", "form", "problem")) + (where(row),): row for row in rows
    }


def _apart(old: pd.Series, new: pd.Series) -> bool:
    slack = 1e-9 * abs(old["value"]) if old["value"] == old["value"] else 0.0
    values = old["lower"] > new["upper"] + slack or old["upper"] < new["lower"] - slack
    return bool(values or abs(old["bound"] - new["bound"]) > 1e-9 * abs(old["bound"]))


def _value(row: pd.Series) -> str:
    limits = "" if row["lower"] == row["upper"] else f" [{number(row['lower'], 4)}, {number(row['upper'], 4)}]"
    return f"{number(row['value'], 4)}{limits} of {number(row['bound'], 4)}"


def _change(row: pd.Series, before: str, after: str) -> Change:
    return Change(row["study"], row["claim"], row["form"], row["problem"], where(row), before, after)


def _seconds(table: pd.DataFrame) -> dict[str, float]:
    """By study; rows of one key were measured together."""
    once = table.drop_duplicates("key").groupby("study")["seconds"].sum()
    return {str(name): float(seconds) for name, seconds in once.items()}


def text(found: Comparison) -> str:
    """The comparison for a terminal."""
    lines = [
        textwrap.fill(f"{name}: {made}", 80, subsequent_indent="  ")
        for name, made in zip(("before", "after"), found.origins, strict=True)
    ]
    lines.append(f"{found.common} verdicts in both, {found.only_before} only before, {found.only_after} only after")
    for words, changes in (("outcomes that differ", found.outcomes), ("values beyond their limits", found.ratios)):
        lines.append(f"{words}: {len(changes)}")
        for change in changes:
            about = f"{change.claim} ({change.form}) on {change.problem}, {change.study}: {change.where}"
            lines.append(textwrap.fill(about, 80, initial_indent="  ", subsequent_indent="    "))
            told = f"    {change.before} -> {change.after}"
            lines += [told] if len(told) <= 80 else [f"    before {change.before}", f"    after  {change.after}"]
    lines.append("seconds by study:")
    lines += [f"  {study:20} {before:8.1f} -> {after:8.1f}" for study, before, after in found.seconds]
    return "\n".join(lines)


def page(found: Comparison) -> str:
    """The comparison as a page."""
    return environment().get_template("compare.html").render(title="What changed between two runs", found=found)
