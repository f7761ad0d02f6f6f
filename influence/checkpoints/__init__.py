"""A build's checkpoints: trained or imported, those chosen that scores are summed over, kept small, and loaded again."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
