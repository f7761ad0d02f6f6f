"""Proof: would my fixes help, would this change help, can the scores be trusted? Found out by training the model again."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
