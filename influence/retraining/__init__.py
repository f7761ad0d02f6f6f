"""What the model would say had it been trained on changed data: many fine-tunings, each kept."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
