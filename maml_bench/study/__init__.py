"""Studies: questions as data, run case by case, and told as a report."""
