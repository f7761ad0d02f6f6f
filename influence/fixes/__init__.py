"""Decisions as a fix list: files of fixes, made in a copy of the training file, bundled for others."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
