"""A workspace on disk: what it is built from, the stages that fill it, the results, opening and publishing."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
