"""Suspects: the ranked list, the suspects behind one test error, or the test errors behind one suspect."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
