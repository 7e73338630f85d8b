"""What a result depends on beside its setting: the code that produced it, as a short digest."""

import ast
import hashlib
import importlib.util
import sys
from functools import cache
from pathlib import Path

PACKAGES = ("analytic", "maml_bench", "studies")
_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef)


@cache
def _imports(module: str) -> tuple[bytes, frozenset[str]]:
    """What a project module does, without its comments and docstrings, and the project modules that it imports."""
    tree = ast.parse(Path(importlib.util.find_spec(module).origin).read_bytes())
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, _DOCUMENTED) and ast.get_docstring(node, clean=False) is not None:
            del node.body[0]
    ours = {name for name in found if _ours(name) and _exists(name)}
    return ast.dump(tree).encode(), frozenset(ours)


def _ours(module: str) -> bool:
    return module.split(".")[0] in PACKAGES


def _foreign(module: str) -> bytes:
    """The source of a user's own module; of an installed library nothing, as its version is stated with a finding."""
    path = Path(getattr(sys.modules[module], "__file__", None) or "")
    installed = module.split(".")[0] in sys.stdlib_module_names or {"site-packages", "dist-packages"} & set(path.parts)
    return b"" if installed or not path.is_file() else path.read_bytes()


@cache
def _exists(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False


@cache
def code_digest(*modules: str) -> str:
    """Digest of the code of the modules and of every project module that they import, directly or not.

    Comments, docstrings and layout do not count. A module of the user's own counts by itself.

    Packages' ``__init__`` files are passed over unless named: they only collect names. The statements of `analytic` are
    reached through one, so what a bound says must enter a key by itself.
    """
    seen, todo = {}, [module for module in modules if _ours(module)]
    for module in set(modules) - set(todo):
        seen[module] = _foreign(module)
    while todo:
        module = todo.pop()
        if module in seen:
            continue
        source, imported = _imports(module)
        is_package = importlib.util.find_spec(module).submodule_search_locations is not None
        if is_package and module not in modules:
            continue
        seen[module] = source
        todo += imported
    digest = hashlib.sha256()
    for module in sorted(seen):
        digest.update(module.encode() + b"\0" + seen[module] + b"\0")
    return digest.hexdigest()[:16]
