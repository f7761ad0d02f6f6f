"""From a query to scores: the formulas, the table of methods, gradients, and the index of word gradients."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
