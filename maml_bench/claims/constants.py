"""The constants of a bound, read off a setting."""

from collections.abc import Callable, Iterable

from maml_bench.setting import Setting

_READ: dict[str, Callable[[Setting], object]] = {
    "dim": lambda setting: setting.tasks.dim,
    **{name: lambda setting, name=name: getattr(setting.inner, name) for name in ("alpha", "steps", "S", "D", "T")},
    **{
        name: lambda setting, name=name: getattr(setting.tasks.regularity, name)
        for name in ("L", "rho", "tau", "sigma", "sigma_g", "sigma_H")
    },
}


def constants(setting: Setting, names: Iterable[str]) -> dict[str, object]:
    """Values of the named constants; only what is asked for is computed."""
    return {name: _READ[name](setting) for name in names}
