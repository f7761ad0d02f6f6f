"""What a name of data stands for: a file, many of them, a folder, another machine's; held whole if small, else streamed."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
