"""The formulas of the influence methods, on plain arrays: what every query, score, build and cluster computes with.

The index and the passes over a model only find the numbers; the arithmetic on them stands here and nowhere else.

Sign, here and everywhere: a score above 0 is a proponent (a gradient step on the training example lowers the loss on
the query), below 0 an opponent. The paper prints a minus in eqs. 2, 3, 6 and 7; its own tables need this plus.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
