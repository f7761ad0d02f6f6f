"""Data files as people bring them: reading, checking, preparing and rewriting tables; labelled texts; words in a text."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
