"""Difficult training examples that share a cause: grouped by how they pull the model, and named by what they share."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
