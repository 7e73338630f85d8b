"""How tight is a bound? Instances that attain it, or come nearest, and a search for worse ones."""

from maml_bench.extremal.instances import INSTANCES, Instance, instance

__all__ = ["INSTANCES", "Instance", "instance"]
