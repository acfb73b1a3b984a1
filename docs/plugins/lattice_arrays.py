"""What dice_any needs to know about the array library `lattice` beyond the Array API standard."""

from dice_any.arrays import ArrayLibrary


class Lattice(ArrayLibrary):
    """`lattice` keeps to the standard, computes at once on the host, and has one device without
    float64.
    """

    protocol = 1  # of dice_any, that this is written for

    def __init__(self):
        super().__init__("lattice")  # imports it; its own namespace holds the standard's functions

    def at_hand(self, array):
        return True  # Python may look at values: invalid ones raise an error at once

    def has_float64(self, array):
        return "no_float64" not in str(array.device)
