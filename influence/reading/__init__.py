"""What turns a file into a table of cells: its form, which is found or said, its limits, and the one reading of a cell."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
