"""An array library that follows the Array API standard and computes at once on the
host. One of its devices has no float64.
"""

from dice_any.arrays import ArrayLibrary


class Lattice(ArrayLibrary):
    protocol = 1  # of the plugins of dice_any
    #: feature of the conformance kit -> why the library lacks it
    limits = {
        "gradient": "has no automatic differentiation",
        "compiled": "has no compiler",
        "lazy": "computes at once",
    }

    def __init__(self):
        # imports `lattice`, whose own module holds the functions of the standard
        super().__init__("lattice")

    def at_hand(self, array):
        return True  # Python may read values, so invalid ones raise an error

    def has_float64(self, array):
        return "no_float64" not in str(array.device)
