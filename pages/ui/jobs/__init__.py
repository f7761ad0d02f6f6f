"""Commands that run beside the server and how far they are on screen; work done ahead of what pages ask for."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
