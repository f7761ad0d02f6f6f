"""What every page stands in: its configuration and sidebar, the address, the session, and how text and numbers are shown."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
