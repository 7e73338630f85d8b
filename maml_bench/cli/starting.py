"""Files to start from: the gallery's examples, which the tests run, copied under a name of your choice."""

from importlib.util import find_spec
from pathlib import Path
from shlex import quote

STARTS = {
    "problem": ("own_problem", "maml-bench audit --problem {file}:TASKS"),
    "estimator": ("own_estimator", "maml-bench measure hessian-bias --hessian {file}:ESTIMATOR"),
    "theorem": ("own_theorem", "maml-bench check {file}:CLAIM"),
    "study": ("own_study", "maml-bench study {file} --quick"),
}
"""By kind: the example, and a command that uses it."""


def write(kind: str, file: Path) -> list[str]:
    """Write the file; what to do next, in lines.

    Raises
    ------
    ValueError
        If it is not called ``*.py``, or exists already.
    """
    if file.suffix != ".py":
        raise ValueError(f"{file}: must end with .py")
    if not file.parent.is_dir():
        raise ValueError(f"{file}: there is no folder {file.parent}")
    if file.exists():
        raise ValueError(f"{file} exists: choose another name")
    example, command = STARTS[kind]
    text = (_gallery() / f"{example}.py").read_text()
    called = "-".join(file.stem.replace("_", " ").split())
    names = {f"{example}.py": file.name, f"{example}.md": f"{file.stem}.md", '"own-study"': f'"{called}"'}
    for name, other in names.items():
        text = text.replace(name, other)
    file.write_text(text)
    return [f"wrote {file}; try", f"  {command.format(file=quote(str(file)))}"]


def _gallery() -> Path:
    """Where the examples are: inside our package where it is installed, beside it in the repository."""
    home = "maml_bench.studies" if find_spec("maml_bench.studies") else "studies"
    spec = find_spec(f"{home}.gallery")
    assert spec is not None and spec.origin is not None, home
    return Path(spec.origin).parent
