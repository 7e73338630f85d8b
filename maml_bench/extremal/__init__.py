"""How tight is a bound? Instances that attain it, or come nearest, and a search for worse ones."""

from maml_bench.extremal.instances import INSTANCES, Instance, instance
from maml_bench.extremal.tightness import Tightness, source, tightness

__all__ = ["INSTANCES", "Instance", "Tightness", "instance", "source", "tightness"]
