"""A package that adds array libraries and a kernel to dice_any."""
