"""The command line: ``maml-bench``, also as ``python -m maml_bench``."""
