"""Opinions that others bring in files: another model, an LLM, annotators; read, checked, and kept by a workspace."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
