"""Do the scores mean anything on this data? Deletion curves, targeted fixing, what-if changes, two workspaces compared."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
