"""The conformance kit tells whether a library or a kernel gives the bits that dice_any promises.

``pytest --pyargs dice_any.testing --backend NAME`` runs it through any array library or kernel,
yours included. Expected values are counted, or computed with `fractions`; acceptance is equality of
every bit.
"""
