"""Algorithms that descend on the meta objective, and replays of the experiments of the paper."""
