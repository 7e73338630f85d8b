"""How many small, wrong changes the suite notices: ``make mutants`` (cosmic-ray makes the changes, one at a time).

The sample is stratified: the same number of changes in every room of the code, drawn by a seed, each time a new one.
Of the arithmetic operators only those replacements count that leave a working expression; a shift of floats would be
noticed by any test.

A change is put to the tests that mirror its module, and what survives them to the whole suite; with ``--own`` it is
not, and ``--also`` names tests to put it to instead. Before any change these tests must pass.

A room's session is a file in ``build/mutants``: stopped and started again, it goes on where it was. Changes are made to
the commit of the draw, in a work tree of the room's own, so that two rooms can be asked side by side and no edit is in
danger. ``again`` makes the same changes to the last commit where they survived, to tell whether tests written since
then notice; the table keeps both figures.

    python tests/mutants.py run [--room verdict] [--sample 13] [--seed 1] [--own] [--also tests/studies]
    python tests/mutants.py again --seed 1 [--room verdict] [--own] [--also tests/studies]
    python tests/mutants.py table        # of the rooms asked here, into tests/mutants.md; rows of other rooms stay
"""

import argparse
import difflib
import itertools
import json
import os
import random
import re
import shlex
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from attrs import evolve
from cosmic_ray.commands import init
from cosmic_ray.mutating import mutate_and_test, mutate_code
from cosmic_ray.plugins import get_operator
from cosmic_ray.testing import run_tests
from cosmic_ray.work_db import WorkDB, use_db
from cosmic_ray.work_item import MutationSpec, TestOutcome, WorkItem, WorkResult

ROOT = Path(__file__).resolve().parents[1]
BUILD = ROOT / "build" / "mutants"
TABLE = ROOT / "tests" / "mutants.md"
INNER = "tests/maml_bench/"
ROOMS = {
    "theory": (("analytic/*.py",), ("tests/analytic", INNER + "claims/test_by_hand.py")),
    "moments": (("analytic/moments/*.py", "maml_bench/exact.py"), ("tests/analytic/moments", INNER + "test_exact.py")),
    "problems": (("maml_bench/problems/*.py",), (INNER + "problems", INNER + "auditing")),
    "estimators": (
        (
            "maml_bench/adaptation.py",
            "maml_bench/hessians.py",
            "maml_bench/capabilities.py",
            "maml_bench/meta_gradient.py",
        ),
        (
            INNER + "test_adaptation.py",
            INNER + "test_hessians.py",
            INNER + "test_hessians_gaussian_smoothing.py",
            INNER + "test_hessians_zeroth_order.py",
            INNER + "test_hessians_central_difference.py",
            INNER + "test_meta_gradient.py",
        ),
    ),
    "algorithms": (("maml_bench/algorithms/*.py",), (INNER + "algorithms", INNER + "claims/test_convergence.py")),
    "auditing": (("maml_bench/auditing/*.py", "maml_bench/search.py"), (INNER + "auditing", INNER + "test_search.py")),
    "montecarlo": (("maml_bench/montecarlo/*.py",), (INNER + "montecarlo", INNER + "test_verdict.py")),
    "claims": (("maml_bench/claims/*.py",), (INNER + "claims",)),
    "verdict": (
        ("maml_bench/verdict.py", "maml_bench/measuring.py", "maml_bench/evidence.py", "maml_bench/power.py"),
        (INNER + "test_verdict.py", INNER + "test_measuring.py", INNER + "test_power.py", INNER + "test_notebooks.py"),
    ),
    "extremal": (("maml_bench/extremal/*.py",), (INNER + "extremal",)),
    "study": (("maml_bench/study/*.py", "maml_bench/digest.py"), (INNER + "study", INNER + "test_digest.py")),
    "cli": (
        ("maml_bench/cli/*.py",),
        (INNER + "cli/test_terminal.py", INNER + "cli/test_commands.py", INNER + "cli"),  # the slow ones last
    ),
}
"""Strata of the sample: the files of a room, and the tests that are asked first."""
SPARED = re.compile(r".*_(RShift|LShift|BitOr|BitAnd|BitXor|Mod|FloorDiv)$|.*BinaryOperator_Bit|.*RemoveDecorator")
TIMES, MORE = 5, 60.0
"""A change counts as noticed, since it made a loop endless, after so many times what the tests need, and a minute."""
AROUND = 24
"""Characters of the line shown before and after what is changed."""
START, END = "<!-- table -->", "<!-- end of the table -->"
RATES = ("room", "changes", "noticed when drawn", "noticed now", "no effect", "open", "now, of those with an effect")
SURVIVORS = ("room", "change", "what becomes of it")
NOTICED, NO_EFFECT, OPEN = "noticed by", "no effect", "open"
"""What becomes of a survivor begins so; what follows ``no effect`` or ``open`` is written by hand."""


def named(room: str, seed: int) -> str:
    """A session: the room's, and the seed if it is not the first."""
    return room if seed == 0 else f"{room}, seed {seed}"


def next_seed() -> int:
    """The first one that the table has no draw of: tests may have been written for those that it has."""
    text = TABLE.read_text()
    return next(seed for seed in itertools.count() if not any(f"| {named(room, seed)} |" in text for room in ROOMS))


def mirrored(tree: Path, module: str, room: str) -> list[str]:
    """Tests that have the module's own name, then the room's."""
    found = (str(path.relative_to(tree)) for path in (tree / "tests").rglob(f"test_{Path(module).stem}*.py"))
    own = sorted(name for name in found if not name.startswith("tests/benchmarks"))
    return [*own, *(name for name in ROOMS[room][1] if name not in own)]


def drawn(tree: Path, room: str, sample: int, seed: int, session: WorkDB) -> list[WorkItem]:
    """Changes to the room's files: the same ones for the same seed and code."""
    init([path.relative_to(tree) for pattern in ROOMS[room][0] for path in sorted(tree.glob(pattern))], session, {})
    every = sorted(
        (item for item in session.work_items if not SPARED.match(item.mutations[0].operator_name)),
        key=lambda item: (
            str(item.mutations[0].module_path),
            item.mutations[0].operator_name,
            item.mutations[0].occurrence,
        ),
    )
    return random.Random(seed).sample(every, min(sample, len(every)))


@dataclass(frozen=True)
class Suite:
    """The tests of a work tree, and what they need without any change."""

    tree: Path
    seconds: dict[frozenset[str], float] = field(default_factory=dict)

    def asked(self, change: MutationSpec, tests: list[str]) -> WorkResult:
        """The change, put to these tests."""
        result = mutate_and_test([change], command(tests), TIMES * self.passing(tests) + MORE)
        if result.test_outcome not in (TestOutcome.KILLED, TestOutcome.SURVIVED):
            raise RuntimeError(f"{change} could not be made: {result.output}")
        return result

    def passing(self, tests: list[str]) -> float:
        """Seconds that the tests need, measured once; all must pass."""
        key = frozenset(name for name in tests if not any(name.startswith(f"{other}/") for other in tests))
        if key not in self.seconds:
            start = time.monotonic()
            outcome, output = run_tests(command(sorted(key)), None)
            if outcome != TestOutcome.SURVIVED:
                raise RuntimeError(f"without any change these tests fail: {' '.join(sorted(key))}\n{output}")
            self.seconds[key] = time.monotonic() - start
        return self.seconds[key]


def command(tests: list[str]) -> str:
    """Pytest, with Hypothesis' examples always the same: new ones could find what is wrong without any change."""
    options = ["-x", "-p", "no:cacheprovider", "--hypothesis-seed=0"]
    return shlex.join([sys.executable, "-m", "pytest", *options, *tests])


def git(folder: Path, *arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, check=True).stdout.strip()


def suite_in(name: str, renewed: bool) -> Suite:
    """The suite of a work tree, without what a killed run left there; renewed, the tree has the last commit's files."""
    tree = BUILD / name
    if not tree.exists():
        git(ROOT, "worktree", "add", "--detach", "--quiet", str(tree), "HEAD")
    git(tree, "checkout", "--force", "--quiet", "--detach", git(ROOT if renewed else tree, "rev-parse", "HEAD"))
    os.chdir(tree)  # the changes are made to files named from here
    os.environ["PYTHONPATH"] = str(tree)
    return Suite(tree)


def run(room: str, seed: int, sample: int, also: list[str]) -> None:
    """Draw the room's sample, or take up an earlier session, and ask the tests about each change."""
    name = named(room, seed)
    file = BUILD / f"{name}.sqlite"
    fresh = not file.exists()
    suite = suite_in(name, fresh)
    with use_db(str(file), WorkDB.Mode.create) as session:
        if fresh:
            items = drawn(suite.tree, room, sample, seed, session)
            session.clear()
            session.add_work_items(items)
        for item, earlier in [*((item, None) for item in session.pending_work_items), *session.completed_work_items]:
            if earlier and (earlier.is_killed or not also):
                continue
            change = item.mutations[0]
            result = earlier or suite.asked(change, mirrored(suite.tree, str(change.module_path), room))
            if also and not result.is_killed:
                result = suite.asked(change, also)
            session.set_result(item.job_id, result)
            print(f"{name}: {told(change, result)}: {witness(result) or OPEN}", flush=True)


def again(room: str, seed: int, also: list[str]) -> None:
    """Ask the last commit's tests about the changes that survived, made to the last commit's code."""
    name = named(room, seed)
    suite, file = suite_in("again", True), BUILD / f"{name}.json"
    noticed = json.loads(file.read_text()) if file.exists() else {}
    for change, result in survivors(name):
        words = told(change, result)
        if words not in noticed:
            if (today := found(change, result)) is None:
                print(f"{name}, again: {words}: not in the last commit's code", flush=True)
                continue
            answer = suite.asked(today, mirrored(suite.tree, str(change.module_path), room))
            if also and not answer.is_killed:
                answer = suite.asked(today, also)
            print(f"{name}, again: {words}: {witness(answer) or OPEN}", flush=True)
            if answer.is_killed:
                noticed[words] = witness(answer)
                file.write_text(json.dumps(noticed, indent=1))


def survivors(name: str) -> list[tuple[MutationSpec, WorkResult]]:
    """Changes of a session that no test noticed."""
    with use_db(str(BUILD / f"{name}.sqlite"), WorkDB.Mode.open) as session:
        done = session.completed_work_items
    return [(item.mutations[0], result) for item, result in done if not result.is_killed]


def found(change: MutationSpec, result: WorkResult) -> MutationSpec | None:
    """The same change in today's file, where it may be another occurrence of its kind; None if the line has gone."""
    code, operator = Path(change.module_path).read_text(), get_operator(change.operator_name)(**change.operator_args)
    for occurrence in itertools.chain([change.occurrence], itertools.count()):
        mutated = mutate_code(code, operator, occurrence)
        if mutated is not None and edited(unified(code, mutated)) == edited(result.diff):
            return evolve(change, occurrence=occurrence)
        if mutated is None and occurrence != change.occurrence:
            break
    return None


def unified(old: str, new: str) -> str:
    return "\n".join(difflib.unified_diff(old.split("\n"), new.split("\n"), lineterm=""))


def edited(diff: str) -> tuple[str, str]:
    """What a diff takes away and what it adds."""
    lines = [line for line in diff.split("\n") if not line.startswith(("---", "+++"))]
    return tuple(" ".join(line[1:].strip() for line in lines if line.startswith(sign)) for sign in "-+")


def told(change: MutationSpec, result: WorkResult) -> str:
    """Where a change is and what it does: the words around it, before and after."""
    old, new = edited(result.diff)
    start = len(os.path.commonprefix([old, new]))
    end = len(os.path.commonprefix([old[start:][::-1], new[start:][::-1]]))
    start, end = max(0, start - AROUND), max(0, end - AROUND)
    before, after = (f"`{text[start : len(text) - end].strip()}`" for text in (old, new))
    return f"`{change.module_path}` {change.definition_name or 'top'}: {before} → {after}"


def witness(result: WorkResult) -> str:
    """The test that noticed a change; nothing where none did."""
    if not result.is_killed:
        return ""
    failed = re.search(r"^(?:FAILED|ERROR) (?:tests/)?([^[\s]+)", result.output, re.MULTILINE)
    return (
        f"`{failed[1]}`" if failed else "a loop without end" if result.output == "timeout" else "the tests do not start"
    )


def written(*cells: object) -> str:
    return "| " + " | ".join(str(cell).replace("|", r"\|") for cell in cells) + " |"


def read(line: str) -> list[str]:
    return [cell.strip().replace(r"\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def table() -> None:
    """Write kill rates by session, and what becomes of the survivors, between the marks of the table's file.

    What the file says of sessions that are not here stays, and so does every explanation written into it.
    """
    head, _, after = TABLE.read_text().partition(START)
    committed, _, tail = after.partition(END)
    rows = [read(line) for line in committed.splitlines() if line.startswith(tuple(f"| {room}" for room in ROOMS))]
    totals = {row[0]: int(row[1]) for row in rows if len(row) > len(SURVIVORS)}
    fates = {(row[0], row[1]): row[2] for row in rows if len(row) == len(SURVIVORS)}
    for file in BUILD.glob("*.sqlite"):
        name, notes = file.stem, file.with_suffix(".json")
        with use_db(str(file), WorkDB.Mode.open) as session:
            if not (done := session.num_results):
                continue
        totals[name] = done
        noticed = json.loads(notes.read_text()) if notes.exists() else {}
        here = [(name, told(*survivor)) for survivor in survivors(name)]
        now = {key: f"{NOTICED} {noticed[key[1]]}" if key[1] in noticed else fates.get(key, OPEN) for key in here}
        fates = {key: fate for key, fate in fates.items() if key[0] != name} | now
    order = [room for room in ROOMS if room in totals], sorted(set(totals) - set(ROOMS))
    lines = [written(*RATES), "|---|" + "--:|" * (len(RATES) - 1)]
    for names, all_of_them in zip(order, ("first draw", "later draws"), strict=True):
        lines += [rate(name, [name], totals, fates) for name in names]
        lines += [rate(f"**{all_of_them}**", names, totals, fates)] if names else []
    lines += ["", "Unnoticed when drawn, and now:", "", written(*SURVIVORS), "|---|---|---|"]
    lines += [written(*key, fate) for key, fate in sorted(fates.items())]
    TABLE.write_text(f"{head}{START}\n\n" + "\n".join(lines) + f"\n\n{END}{tail}")


def rate(label: str, names: list[str], totals: dict[str, int], fates: dict[tuple[str, str], str]) -> str:
    """A row of the table: counts of these sessions, and their shares."""
    total, left = sum(totals[name] for name in names), [fate for key, fate in fates.items() if key[0] in names]
    noticed, none_could = (sum(fate.startswith(word) for fate in left) for word in (NOTICED, NO_EFFECT))
    first, now = total - len(left), total - len(left) + noticed
    shares = [f"{count} ({count / max(total, 1):.0%})" for count in (first, now)]
    able = f"{now / max(total - none_could, 1):.0%}"
    return written(label, total, *shares, none_could, total - now - none_could, able)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("run", "again"):
        ask = commands.add_parser(name)
        ask.add_argument("--room", choices=ROOMS, action="append", help="this room, once or more often; all by default")
        words = "of the draw; by default the first that the table has no draw of"
        ask.add_argument("--seed", type=int, required=name == "again", help=words)
        ask.add_argument(
            "--own", action="store_true", help="only the tests that mirror the module, not the whole suite"
        )
        ask.add_argument(
            "--also", action="append", default=[], help="put survivors to these tests, not the whole suite"
        )
        if name == "run":
            ask.add_argument("--sample", type=int, default=13, help="changes a room (13 make 156 in all)")
    commands.add_parser("table")
    args = parser.parse_args()
    if args.command == "table":
        return table()
    also, seed = args.also or ([] if args.own else ["tests"]), next_seed() if args.seed is None else args.seed
    for room in args.room or ROOMS:
        if args.command == "run":
            run(room, seed, args.sample, also)
        else:
            again(room, seed, also)


if __name__ == "__main__":
    main()
