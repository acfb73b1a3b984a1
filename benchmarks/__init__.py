"""Benchmarks: time and memory of dice_any beside simpler code and other packages. `python -m
benchmarks --help`.
"""
