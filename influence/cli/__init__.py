"""The command line: `python -m influence COMMAND`. Results on stdout, progress on stderr, exit code 2 on bad input."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
