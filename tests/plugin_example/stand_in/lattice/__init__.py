"""A stand-in for an array library that keeps to the Array API standard.

It is array-api-strict, loaded once more under the name `lattice`, so that its arrays
are of a module that dice_any does not know.
"""

from importlib.util import find_spec

_spec = find_spec("array_api_strict")
__path__ = list(_spec.submodule_search_locations)
exec(_spec.loader.get_code("array_api_strict"))
