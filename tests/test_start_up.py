"""What loads when: names by use, so that help and imports need not wait for what they do not need."""

import subprocess
import sys

import pytest

import analytic
import maml_bench

HEAVY = ("numpy", "sympy", "scipy", "matplotlib", "pandas", "joblib", "sklearn", "dask", "distributed", "studies")
SLOW = (
    "scipy.special",
    "scipy.stats",
    "scipy.optimize",
    "matplotlib",
    "pandas",
    "joblib",
    "sklearn",
    "dask",
    "studies",
)


def loaded(*command: str) -> set[str]:
    """Modules in ``sys.modules`` when a fresh interpreter, given these arguments, ends."""
    words = "import atexit, runpy, sys; atexit.register(lambda: print('\\nLOADED', *sys.modules)); "
    if command[0] == "-m":
        words += (
            f"sys.argv = {list(command[1:])}; runpy.run_module({command[1]!r}, run_name='__main__', alter_sys=True)"
        )
    else:
        words += command[0]
    done = subprocess.run([sys.executable, "-c", words], capture_output=True, text=True, check=True)
    return set(done.stdout.rpartition("\nLOADED ")[2].split())


@pytest.mark.parametrize("command", [("-m", "maml_bench", "--help"), ("-m", "maml_bench", "report", "--help")])
def test_help_waits_for_nothing_heavy(command):
    modules = loaded(*command)
    assert "click" in modules
    assert not modules & {*HEAVY, "analytic"}


def test_importing_the_package_loads_none_of_its_rooms():
    modules = loaded("import maml_bench")
    assert "maml_bench" in modules
    assert not modules & {*HEAVY, "analytic", "click"}


def test_check_loads_no_slow_module_before_it_is_called():
    modules = loaded("from maml_bench import check")
    assert "maml_bench.verdict" in modules
    assert not modules & {*SLOW, "click", "rich", "analytic.convergence"}


def test_a_claim_loads_its_topic_and_none_after_it():
    modules = loaded("from maml_bench import claims; claims.get('prop2-second', 'paper')")
    assert "maml_bench.claims.inner_path" in modules
    assert not modules & {*SLOW, "maml_bench.claims.zeroth_order", "analytic.convergence"}


def test_a_bound_loads_its_section_alone():
    assert not {name for name in loaded("import analytic") if name.startswith(("analytic.inner", "analytic.conv"))}
    modules = loaded("from analytic import bound; bound('prop2-second')")
    assert "analytic.inner_path" in modules
    assert not modules & {"analytic.convergence", *SLOW}


@pytest.mark.parametrize("package", [analytic, maml_bench])
def test_every_name_is_there_listed_and_no_other(package):
    assert set(package.__all__) <= set(dir(package))
    assert all(getattr(package, name) is not None for name in package.__all__)
    with pytest.raises(AttributeError, match="no attribute 'checc'"):
        package.checc  # noqa: B018


def test_names_that_load_when_used_are_what_their_homes_define():
    from analytic.convergence import theorem1
    from maml_bench.verdict import check

    assert analytic.theorem1 is theorem1
    assert maml_bench.check is check
