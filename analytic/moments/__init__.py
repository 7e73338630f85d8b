"""Exact left-hand sides: what the experiments estimate, computed without sampling, one file per problem family.

Every function takes one task, as plain arrays. ``smoothing(...)`` of a family returns a `gaussian.Smoothing`: means and
variances of the Hessian estimators that draw Gaussian directions. `quadrature` serves any smooth loss of one variable.
"""
