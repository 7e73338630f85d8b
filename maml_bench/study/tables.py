"""Tables of findings, in Markdown."""

from collections.abc import Iterable
from typing import Any

import pandas as pd

from maml_bench.study.facts import Fact
from maml_bench.study.findings import OUTCOMES
from maml_bench.study.text import markdown_table, number, span
from maml_bench.study.typeset import signs

MARKS = {"exact": "", "certified": "≈", "asymptotic": "~", "search": "≥"}


def facts_table(facts: Iterable[Fact]) -> str:
    """What was expected, what was found, and whether the two agree."""
    rows = [[signs(fact.words), fact.expected, fact.found, fact.answer] for fact in facts]
    return markdown_table(["what", "expected", "found", "agrees"], rows)


def verdicts(table: pd.DataFrame) -> pd.DataFrame:
    """The rows that are verdicts: the others were measured without a bound."""
    return table[table["outcome"] != ""]


def summary_sentence(table: pd.DataFrame) -> str:
    """How many verdicts there are and how they ended."""
    found = verdicts(table)
    count = found["outcome"].value_counts()
    words = ", ".join(f"{count[outcome]} `{outcome}`" for outcome in OUTCOMES if count.get(outcome, 0))
    if not count.get("violated", 0):
        return f"{len(found)} verdicts: {words}. No bound is violated."
    names = (found["claim"] + " (" + found["form"] + ")")[found["outcome"] == "violated"]
    return f"{len(found)} verdicts: {words}. **Violated: {', '.join(sorted(set(names)))}.**"


def outcome_table(table: pd.DataFrame) -> str:
    """How many findings of each claim and form had each outcome, with the range of measured / bound."""
    shown = [outcome for outcome in OUTCOMES if outcome in set(table["outcome"]) | {"holds", "violated"}]
    rows = []
    for (claim, form), chosen in verdicts(table).groupby(["claim", "form"], sort=False):
        counts = [int((chosen["outcome"] == outcome).sum()) for outcome in shown]
        exact = int((chosen["evidence"] == "exact").sum())
        rows.append([f"{claim}, {form}", *counts, exact, float(chosen["ratio"].min()), float(chosen["ratio"].max())])
    return markdown_table(["claim, form", *shown, "exact", "smallest ratio", "largest ratio"], rows)


def where(row: pd.Series) -> str:
    """The swept parameters of a finding, in words."""
    named = [name for name in row["swept"] if name != "problem"]
    return ", ".join(f"{name} = {number(row[name]) if isinstance(row[name], float) else row[name]}" for name in named)


def looseness_table(table: pd.DataFrame) -> str:
    """Bound over measured value: its least and its largest over the sweep, for each claim, form and problem."""
    known = table[(table["lower"] > 0) & (table["ratio"] > 0)]
    rows = []
    for (claim, form, problem), chosen in known.groupby(["claim", "form", "problem"], sort=False):
        most: Any = chosen.iloc[chosen["ratio"].argmin()]
        rows.append([f"{claim}, {form}", problem, 1 / chosen["ratio"].max(), 1 / most["ratio"], where(most)])
    return markdown_table(["claim, form", "problem", "least loose", "most loose", "at"], rows)


def entry(row: pd.Series | None) -> str:
    """A finding in one short word: its ratio, marked by its evidence, or why there is none."""
    if row is None or row["outcome"] == "not applicable":
        return "·"
    mark = MARKS[row["evidence"]]
    text = f"{mark}{number(row['ratio'])}" if row["bound"] > 0 else "0/0" if row["value"] == 0 else f"{mark}/0"
    endings = {"inconclusive": " ?", "violated": " violated"}
    return text + endings.get(row["outcome"], "")


def ratio_table(table: pd.DataFrame) -> str:
    """Measured over bound, a row for each claim and form, a column for each problem."""
    problems = list(dict.fromkeys(table["problem"]))
    rows = []
    for (claim, form), chosen in verdicts(table).groupby(["claim", "form"], sort=False):
        found = {row["problem"]: row for _, row in applicable_last(chosen).iterrows()}
        rows.append([claim, form, *(entry(found.get(name)) for name in problems)])
    return markdown_table(["claim", "form", *problems], rows)


def applicable_last(table: pd.DataFrame) -> pd.DataFrame:
    """The rows, those whose claim does not apply first."""
    return table.sort_values("outcome", key=lambda column: column != "not applicable", kind="stable")


def refusals(table: pd.DataFrame) -> str:
    """Why claims do not apply, each reason once, as a list."""
    about: dict[str, tuple[dict, dict]] = {}
    for _, row in table[table["outcome"] == "not applicable"].iterrows():
        claim, _, reason = row["reason"].partition(" needs ")
        names, problems = about.setdefault(reason or row["reason"], ({}, {}))
        names[claim if reason else row["claim"]] = problems[row["problem"]] = None
    return "".join(
        f"- {', '.join(names)} on {', '.join(problems)}: {reason}\n" for reason, (names, problems) in about.items()
    )


def atlas_table(table: pd.DataFrame) -> str:
    """The worst case found of each claim and form: measured over bound, by what problem, and how far it moves.

    For findings of `maml_bench.study.measures.worst`.
    """
    rows = []
    for (claim, form), chosen in _attacked(table):
        top: Any = chosen.loc[chosen["ratio"].idxmax()]
        at = [f"{name} = {number(top[key])}" for name, key in PLACE.items() if not pd.isna(top[key])]
        gap = f"{number(top['supremum'])}" if top["supremum"] > 0 else f"open, {number(top['ratio'])} to 1"
        moves = f"{number(chosen['ratio'].min())} to {number(chosen['ratio'].max())}"
        rows.append([f"{claim}, {form}", float(top["ratio"]), gap, top["arena"], ", ".join(at), moves])
    return markdown_table(["claim, form", "largest found", "supremum", "by", "at", "over the sweep"], rows)


PLACE = {"N": "N", "αL": "alphaL", "d": "d", "Q": "Q"}


def sentences(table: pd.DataFrame) -> str:
    """For each claim how much too large the paper's constant is, and which other forms are reached, or how nearly."""
    reached: dict[str, dict[str, pd.Series]] = {}
    for (claim, form), chosen in _attacked(table):
        reached.setdefault(claim, {})[form] = chosen["ratio"]
    lines = []
    for claim, forms in reached.items():
        parts = {form: number(ratios.max(), 4) for form, ratios in forms.items() if form != "paper"}
        whole = ", ".join(f"`{form}`" for form, part in parts.items() if part == "1")
        below = ", ".join(f"{part} of `{form}`" for form, part in parts.items() if part != "1")
        words = []
        if "paper" in forms:
            low, high = 1 / forms["paper"].max(), 1 / forms["paper"].min()
            loose = f"{span(low, high)} times too large here" if high > 1.005 else "attained"
            words.append(f"the paper's constant (as reconstructed) is {loose}")
        if whole:
            words.append(f"reached, to four digits: {whole}")
        if below:
            words.append(f"no admissible problem found reaches more than {below}")
        lines.append(f"- **{claim}**: {'; '.join(words)}.\n")
    return "".join(lines)


def _attacked(table: pd.DataFrame):
    """The findings of attacks, by claim and form."""
    if "arena" not in table:
        return []
    chosen = table[table["arena"].notna() & (table["ratio"] > 0)]
    return list(chosen.groupby(["claim", "form"], sort=False))
