"""The conformance kit tells whether a library or a kernel gives the bits that dice_any promises.

``pytest --pyargs dice_any.testing --backend NAME`` runs it on any array library or kernel,
including yours. Expected values are counted, or computed with `fractions`. Every bit must be equal.
"""
