"""Training examples whose labels are probably wrong: signals, ranking and reasons."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
