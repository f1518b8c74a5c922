"""Workloads: models of guests, the pre-copy loop that migrates them, and the traces they leave.

Nothing in this package knows that its traces will be timed.
"""
