"""Limits on data and on workspaces, for machines that let a change through or not: read, measured, and told."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
