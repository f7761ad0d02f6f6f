"""What is thought of every training label by models that have not seen it: opinions, and their average."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
