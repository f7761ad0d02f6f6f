"""Where work is done: in this process's neighbours, a card each, or on the machines of a Ray cluster."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
