"""Objects from a user's file, ``FILE.py:object``: a claim, a problem, an estimator."""

import hashlib
import importlib.util
import os
import sys
import traceback
from contextlib import suppress
from pathlib import Path
from types import ModuleType

OWN = "own_"
"""How the modules of a user's files are called here, followed by the name of the file."""


def as_path(name: str, value) -> Path:
    """``value`` as a path.

    Raises
    ------
    ValueError
        If it is none.
    """
    try:
        return Path(value)
    except TypeError:
        from analytic.arguments import shown

        raise ValueError(f"{name} = {shown(value)}: must be a path") from None


def is_file(word: str) -> bool:
    """Whether a word stands for an object in a file, not for a known name."""
    return ".py:" in word or word.endswith(".py")


def module(path: Path) -> ModuleType:
    """The file, run as a module; its own directory serves its imports, as if it were run as a script.

    Raises
    ------
    ValueError
        If there is no such file, or it does not import: one line that says what went wrong, and where.
    """
    if not path.is_file():
        raise ValueError(f"{path}: no such file")
    known = hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:8]  # files in two folders may have one name
    spec = importlib.util.spec_from_file_location(f"{OWN}{path.stem}_{known}", path.resolve())
    assert spec is not None and spec.loader is not None, path
    made = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = made  # where dataclasses look their module up
    _send_by_value(made)
    sys.path.insert(0, str(path.resolve().parent))
    try:
        spec.loader.exec_module(made)
    except (Exception, SystemExit) as error:  # noqa: BLE001, a user's file may raise anything
        words = " ".join(str(error).split())
        raise ValueError(f"{path}, line {_line(error, path)}: {type(error).__name__}: {words}") from None
    finally:
        sys.path.remove(str(path.resolve().parent))
    return made


def _send_by_value(made: ModuleType) -> None:
    """Worker processes cannot import the module: what is sent to them takes it along."""
    for pickler in ("joblib.externals.cloudpickle", "cloudpickle"):  # joblib's own up to 1.5, and that of others
        with suppress(ImportError):
            importlib.import_module(pickler).register_pickle_by_value(made)


def _line(error: BaseException, path: Path) -> int | None:
    if isinstance(error, SyntaxError) and error.filename == str(path.resolve()):
        return error.lineno
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if Path(frame.filename).resolve() == path.resolve()]
    return lines[-1] if lines else None


def blame(error: BaseException) -> str | None:
    """What a user's file that was loaded here raised while it was used, and where, in a line; None for other errors."""
    own = {made.__file__ for label, made in list(sys.modules.items()) if label.startswith(OWN)}
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename in own]
    if not frames:
        return None
    path = Path(os.path.relpath(frames[-1].filename))
    return f"{path}, line {frames[-1].lineno}: {type(error).__name__}: {' '.join(str(error).split())}"


def load(word: str, option: str, fits, wanted: str):
    """The object that ``FILE.py:object`` names; a function or class without arguments is called for it.

    Parameters
    ----------
    option : str
        What the word was given for, to be named in errors.
    fits : callable
        ``fits(object)``: whether it will do.
    wanted : str
        What will do, in words.

    Raises
    ------
    ValueError
        As `module`, or if the file has no such object, or another kind of one.
    """
    path, _, name = word.rpartition(":") if ".py:" in word else (word, "", "")
    made = module(Path(path))
    if not name or not hasattr(made, name):
        fitting = [key for key, value in vars(made).items() if not key.startswith("_") and fits(value)]
        listed = f"; it has {', '.join(fitting)}" if fitting else ""
        lacks = f"{path} has no object {name!r}, which should be" if name else "must be FILE.py:object, the object"
        raise ValueError(f"{option} = {word}: {lacks} {wanted}{listed}")
    found = getattr(made, name)
    if not fits(found) and callable(found):
        try:
            found = found()
        except TypeError as error:
            raise ValueError(f"{option} = {word}: must be {wanted}, or make one without arguments ({error})") from None
    if not fits(found):
        raise ValueError(f"{option} = {word}: must be {wanted}, not {type(found).__name__}")
    return found
