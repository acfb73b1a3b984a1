"""Benchmarks: how fast dice_any is beside the plain way, and how much memory it takes. `python -m
benchmarks --help`.
"""
