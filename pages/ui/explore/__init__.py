"""Explore: a list of test sentences, one of them read closely, or a text of the reader's own."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
