"""Gradients of each example's own loss: at the positions of its words, and by the weights of a layer."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
