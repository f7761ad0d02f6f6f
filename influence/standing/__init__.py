"""What stands in a review log, kept in memory and brought up to date with each record, and what of it the data has already."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
