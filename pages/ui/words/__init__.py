"""Words: by what they carry against the mistakes, or the training examples of one word."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
