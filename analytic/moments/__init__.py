"""Exact left-hand sides: what the experiments estimate, computed without sampling.

A file holds what a closed form needs and no more. Losses and their derivatives are the caller's, at a point or as
functions of points, and so are checks of arguments: they arrive from tasks and inner loops that made them.
``smoothing(...)`` gives a `gaussian.Smoothing`: means and variances of the Hessian estimators that draw Gaussian
directions. `quadrature` serves any smooth loss of one variable, `two_point` any loss.
"""
