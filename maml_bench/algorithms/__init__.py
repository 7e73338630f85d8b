"""Algorithms that descend on the meta objective, and replays of the experiments of the paper."""

from maml_bench.algorithms.methods import MAML, NAMED, ImplicitMAML, Method, Reptile, algorithm
from maml_bench.algorithms.optimizers import SGD, Adam
from maml_bench.algorithms.outer_loop import Run, train
from maml_bench.algorithms.samples import Samples

__all__ = ["MAML", "NAMED", "SGD", "Adam", "ImplicitMAML", "Method", "Reptile", "Run", "Samples", "algorithm", "train"]
