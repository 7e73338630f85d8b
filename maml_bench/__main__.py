"""``python -m maml_bench``: the command line."""

from maml_bench.cli.commands import main

main()
