"""New rows on the Data page: which file, which mistakes, and the rows ranked by how much they would help these."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
