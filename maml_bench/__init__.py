"""Measured left-hand sides of the theory of multi-step MAML, beside its proved right-hand sides."""

from maml_bench import claims
from maml_bench.adaptation import InnerLoop
from maml_bench.auditing import audit
from maml_bench.setting import Setting
from maml_bench.verdict import Verdict, check

__all__ = ["InnerLoop", "Setting", "Verdict", "audit", "check", "claims"]
