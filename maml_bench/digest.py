"""What a result depends on, as short digests: the contents of a value, and the code that measures."""

import ast
import dataclasses
import hashlib
import sys
from functools import cache
from pathlib import Path
from types import FunctionType

import numpy as np

ROOT = Path(__file__).parent
APART = ("study", "studies", "cli")
"""Parts of the package that only tell what was measured: a change there leaves every result as it was."""
_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef)


def content_digest(value) -> str:
    """Digest of a value made of dataclasses, arrays, numbers and strings: equal contents, equal digest.

    Of a dataclass or a function that is neither ours nor a library's, the file that it stands in counts, too.

    Raises
    ------
    TypeError
        For anything else: a digest that misses part of a setting would let a stale result pass for a fresh one.
    """
    digest = hashlib.sha256()
    _feed(digest, value)
    return digest.hexdigest()[:20]


def _feed(digest, value):
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        digest.update(_origin(type(value)) + b"(")
        for field in dataclasses.fields(value):
            digest.update(field.name.encode() + b"=")
            _feed(digest, getattr(value, field.name))
        digest.update(b")")
    elif isinstance(value, np.ndarray):
        digest.update(f"{value.dtype.str}{value.shape}".encode() + np.ascontiguousarray(value).tobytes())
    elif isinstance(value, (list, tuple)):
        digest.update(b"[")
        for item in value:
            _feed(digest, item)
        digest.update(b"]")
    elif isinstance(value, dict):
        _feed(digest, sorted(value.items()))
    elif value is None or isinstance(value, (bool, int, float, str, np.generic)):
        digest.update(f"{type(value).__name__}:{value!r};".encode())
    elif isinstance(value, FunctionType | type):
        digest.update(_origin(value) + b";")
        _feed(digest, [cell.cell_contents for cell in getattr(value, "__closure__", None) or ()])
    elif plain(value):
        digest.update(_origin(type(value)))
        _feed(digest, vars(value))
    else:
        raise TypeError(f"cannot digest a {type(value).__name__}: use dataclasses, arrays, numbers and strings")


def _origin(thing) -> bytes:
    """What a class or function is. Of the user's own, the file counts and not the name that it was imported under."""
    source = _users_source(thing)
    module = "" if source else thing.__module__
    return f"{module}.{thing.__qualname__}".encode() + source


def users_file(thing) -> Path | None:
    """The file that a class or function stands in, if it is the user's own: not ours, nor an installed library's."""
    module = thing.__module__
    path = Path(getattr(sys.modules.get(module), "__file__", None) or "")
    library = module.split(".")[0] in sys.stdlib_module_names or {"site-packages", "dist-packages"} & set(path.parts)
    ours = path.is_relative_to(ROOT) and path.relative_to(ROOT).parts[0] not in APART
    measures = ours or module.split(".")[0] == "analytic"
    return None if library or measures or not path.is_file() else path.resolve()


def _users_source(thing) -> bytes:
    """What the user's file says. Ours counts by `code_digest`, a library's by the versions stated with a result."""
    path = users_file(thing)
    return b"" if path is None else _meaning(path)


def plain(value) -> bool:
    """Whether a value is an object of the user's own class, all of whose state is in its attributes."""
    return hasattr(value, "__dict__") and not callable(value) and users_file(type(value)) is not None


@cache
def code_digest() -> str:
    """One digest of all the code that measures: ``analytic``, and this package but for `APART`.

    Comments, docstrings and layout do not count.
    """
    import analytic

    digest = hashlib.sha256()
    for root in (Path(analytic.__file__).parent, ROOT):
        for path in sorted(root.rglob("*.py")):
            name = path.relative_to(root)
            if name.parts[0] not in APART:
                digest.update(f"{root.name}/{name.as_posix()}".encode() + b"\0" + _meaning(path) + b"\0")
    return digest.hexdigest()[:20]


def _meaning(path: Path) -> bytes:
    """What a file of Python says, without its comments and docstrings."""
    tree = ast.parse(path.read_bytes())
    for node in ast.walk(tree):
        if isinstance(node, _DOCUMENTED) and ast.get_docstring(node, clean=False) is not None:
            del node.body[0]
    return ast.dump(tree).encode()
