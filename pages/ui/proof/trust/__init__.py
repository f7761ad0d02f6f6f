"""Proof's question whether the scores mean anything on this data, found out by retraining, or from what the build has stored."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
