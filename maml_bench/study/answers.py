"""What the findings say about a statement, in one line made of them, and in a row for each form."""

import math
from dataclasses import dataclass, replace

import pandas as pd

from maml_bench.study.findings import EVIDENCE
from maml_bench.study.tables import verdicts
from maml_bench.study.text import number, span

SURE = ("exact", "certified")


@dataclass(frozen=True)
class FormRow:
    """One form of a statement: how its checks ended, and how loose it was; nan where nothing was measured.

    ``tightest`` and ``loosest`` are the keys of the rows in question.
    """

    form: str
    checks: int
    held: int
    violated: int
    open: int
    refused: int
    least: float
    most: float
    tightest: str = ""
    loosest: str = ""


def form_rows(table: pd.DataFrame) -> list[FormRow]:
    """A row for each form; ``least`` and ``most`` are bound over measured value."""
    rows = []
    for form, chosen in verdicts(table).groupby("form", sort=False):
        outcome = chosen["outcome"].value_counts()
        ratio = chosen.set_index("key")["ratio"][(chosen["ratio"] > 0).to_numpy() & (chosen["bound"] > 0).to_numpy()]
        refused, held, violated = (int(outcome.get(x, 0)) for x in ("not applicable", "holds", "violated"))
        checks = len(chosen) - refused
        row = FormRow(str(form), checks, held, violated, checks - held - violated, refused, math.nan, math.nan)
        if len(ratio):
            row = replace(row, least=float(1 / ratio.max()), most=float(1 / ratio.min()))
            row = replace(row, tightest=str(ratio.idxmax()), loosest=str(ratio.idxmin()))
        rows.append(row)
    return rows


def counts(table: pd.DataFrame) -> dict[str, int]:
    """Checks by evidence, with those ``violated`` and ``open``: neither, and no search that found nothing above."""
    found = verdicts(table)
    found = found[found["outcome"] != "not applicable"]
    kinds = {kind: int((found["evidence"] == kind).sum()) for kind in EVIDENCE}
    ends = {"violated": int((found["outcome"] == "violated").sum())}
    return kinds | ends | {"open": int((found["outcome"] == "inconclusive").sum())}


def answer(table: pd.DataFrame, forms: tuple[str, ...]) -> str:
    """One line, in Markdown, about all checks of a statement; ``forms`` are those that the theory has."""
    found = verdicts(table)
    found = found[found["outcome"] != "not applicable"]
    if not len(found):
        return "Nothing was measured in this run." if not len(table) else "No check applies in this run."
    bad = found[found["outcome"] == "violated"]
    if len(bad):
        names = ", ".join(f"`{form}`" for form in dict.fromkeys(bad["form"]))
        return f"**Violated in {len(bad)} of {len(found)} checks**, in the forms {names}."
    held, searched = int((found["outcome"] == "holds").sum()), int((found["outcome"] == "not refuted").sum())
    sure = int((found["evidence"].isin(SURE) & (found["outcome"] == "holds")).sum())
    words = []
    if held:
        words.append(f"**Holds in {held} of {len(found)} checks**, {sure} of them exact or certified")
    if searched:
        words.append(f"{'' if held else '**'}not refuted in {searched} of {len(found)} searches{'' if held else '**'}")
    left = len(found) - held - searched
    if left:
        words.append(f"{left} left open by budget or rounding")
    return "; ".join(words) + "." + _looseness(found, forms)


def _looseness(found: pd.DataFrame, forms: tuple[str, ...]) -> str:
    rows = [row for row in form_rows(found) if row.least == row.least and row.form not in ("identity",)]
    text = ""
    for row in rows:
        if row.form == "paper":
            loose = span(row.least, row.most)
            text += f" The paper's constant, as reconstructed, is {loose} times the measured value here."
    others = [row for row in rows if row.form != "paper" and row.form in forms]
    if others:
        best = min(others, key=lambda row: row.least)
        factor = number(best.least)
        near = "is attained, to the digits shown," if factor == "1" else f"is within a factor of {factor}"
        near = "is attained" if best.least < 1 + 1e-6 else near
        text += f" The form `{best.form}` {near} on the worst problem found."
    return text
