"""How many small, wrong changes the suite notices: ``make mutants`` (cosmic-ray makes the changes, one at a time).

The sample is stratified: the same number of changes in every room of the code, drawn by a seed. Of the arithmetic
operators only those replacements count that leave a working expression; a shift of floats would be noticed by any test.
A change is put to the tests that mirror its module, and what survives them to the whole suite. A room's session is a
file in ``build/mutants``: stopped and started again, it goes on where it was. Changes are made to the last commit, in a
work tree of the room's own, so that two rooms can be asked side by side and no edit is in danger.

    python tests/mutants.py run [--room verdict] [--sample 13] [--seed 0] [--own]
    python tests/mutants.py table        # writes the table of tests/mutants.md
"""

import argparse
import os
import random
import re
import shlex
import subprocess
import sys
from pathlib import Path

from cosmic_ray.commands import init
from cosmic_ray.mutating import mutate_and_test
from cosmic_ray.work_db import WorkDB, use_db
from cosmic_ray.work_item import WorkItem, WorkResult

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
        (INNER + "test_adaptation.py", INNER + "test_hessians.py", INNER + "test_meta_gradient.py"),
    ),
    "algorithms": (("maml_bench/algorithms/*.py",), (INNER + "algorithms", INNER + "claims/test_convergence.py")),
    "auditing": (("maml_bench/auditing/*.py", "maml_bench/search.py"), (INNER + "auditing", INNER + "test_search.py")),
    "montecarlo": (("maml_bench/montecarlo/*.py",), (INNER + "montecarlo", INNER + "test_verdict.py")),
    "claims": (("maml_bench/claims/*.py",), (INNER + "claims",)),
    "verdict": (
        ("maml_bench/verdict.py", "maml_bench/measuring.py", "maml_bench/evidence.py", "maml_bench/power.py"),
        (INNER + "test_verdict.py", INNER + "test_measuring.py", INNER + "test_power.py"),
    ),
    "extremal": (("maml_bench/extremal/*.py",), (INNER + "extremal",)),
    "study": (("maml_bench/study/*.py", "maml_bench/digest.py"), (INNER + "study", INNER + "test_digest.py")),
    "cli": (("maml_bench/cli/*.py",), (INNER + "cli",)),
}
"""Strata of the sample: the files of a room, and the tests that are asked first."""
SPARED = re.compile(r".*_(RShift|LShift|BitOr|BitAnd|BitXor|Mod|FloorDiv)$|.*BinaryOperator_Bit|.*RemoveDecorator")
TIMEOUT = 900.0
WHOLE_SUITE = 7200.0
"""Seconds after which a change counts as noticed, since it made a loop endless: many times what the tests need."""


def mirrored(module: str, room: str) -> list[str]:
    """Tests that have the module's own name, then the room's."""
    own = sorted(str(path.relative_to(ROOT)) for path in (ROOT / "tests").rglob(f"test_{Path(module).stem}*.py"))
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


def asked(item: WorkItem, tests: list[str], timeout: float) -> WorkResult:
    """The change, put to these tests."""
    command = [sys.executable, "-m", "pytest", "-x", "-p", "no:cacheprovider", *tests]
    return mutate_and_test(item.mutations, shlex.join(command), timeout)


def run(room: str, sample: int, seed: int, own: bool) -> None:
    """Draw the room's sample, or take up an earlier session, and ask the tests about each change."""
    tree, file = BUILD / room, BUILD / f"{room}.sqlite"
    fresh = not file.exists()
    if not tree.exists():
        subprocess.run(["git", "worktree", "add", "--detach", "--quiet", str(tree), "HEAD"], cwd=ROOT, check=True)
    os.chdir(tree)  # the changes are made to files named from here
    os.environ["PYTHONPATH"] = str(tree)
    if fresh:
        head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
        subprocess.run(["git", "checkout", "--force", "--quiet", "--detach", head.strip()], check=True)
    else:
        subprocess.run(["git", "checkout", "--force", "--quiet", "."], check=True)  # a killed run leaves its change
    with use_db(str(file), WorkDB.Mode.create) as session:
        if fresh:
            items = drawn(tree, room, sample, seed, session)
            session.clear()
            session.add_work_items(items)
        pending = session.pending_work_items
        for count, item in enumerate(pending, 1):
            change = item.mutations[0]
            result = asked(item, mirrored(str(change.module_path), room), TIMEOUT)
            if not result.is_killed and not own:
                result = asked(item, ["tests"], WHOLE_SUITE)
            session.set_result(item.job_id, result)
            outcome = "killed" if result.is_killed else "SURVIVED"
            place = f"{change.module_path}:{change.start_pos[0]}"
            print(f"{room} {count}/{len(pending)} {outcome} {place} {change.operator_name}", flush=True)


def table() -> None:
    """Write kill rates by room, and the survivors, into the table; what stands below its mark is kept."""
    rows, survivors, total, killed = [], [], 0, 0
    for room in ROOMS:
        if not (BUILD / f"{room}.sqlite").exists():
            continue
        with use_db(str(BUILD / f"{room}.sqlite"), WorkDB.Mode.open) as session:
            done = session.completed_work_items
        dead = sum(result.is_killed for _, result in done)
        total, killed = total + len(done), killed + dead
        rows.append(f"| {room} | {len(done)} | {dead} | {dead / max(len(done), 1):.0%} |")
        for item, result in done:
            if not result.is_killed:
                change = item.mutations[0]
                survivors.append(f"| `{change.module_path}` | {change.definition_name} | `{change.operator_name}` |")
    lines = [
        "| room | changes | noticed | rate |",
        "|---|--:|--:|--:|",
        *rows,
        f"| all | {total} | {killed} | {killed / max(total, 1):.0%} |",
    ]
    lines += [
        "",
        "Unnoticed when the sample was drawn:",
        "",
        "| module | in | change |",
        "|---|---|---|",
        *sorted(survivors),
    ]
    mark = "<!-- end of the table -->"
    head, kept = TABLE.read_text().split(mark) if TABLE.exists() else ("", "\n")
    head = head.split("<!-- table -->")[0]
    TABLE.write_text(head + "<!-- table -->\n\n" + "\n".join(lines) + "\n\n" + mark + kept)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    ask = commands.add_parser("run")
    ask.add_argument("--room", choices=ROOMS, action="append", help="this room, once or more often; all by default")
    ask.add_argument("--sample", type=int, default=13, help="changes a room (13 make 156 in all)")
    ask.add_argument("--seed", type=int, default=0)
    ask.add_argument("--own", action="store_true", help="only the tests that mirror the module, not the whole suite")
    commands.add_parser("table")
    args = parser.parse_args()
    if args.command == "table":
        return table()
    for room in args.room or ROOMS:
        run(room, args.sample, args.seed, args.own)


if __name__ == "__main__":
    main()
