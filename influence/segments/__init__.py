"""The index on disk: segments of training examples, the compact rows in them, and the kernels that scan these."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
