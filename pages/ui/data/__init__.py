"""Data: from a file to a workspace, the builds, the workspaces there are, and two of them compared."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
