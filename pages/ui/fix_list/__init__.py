"""Fix list: what will change and why, the rules, how far reviewers agree, and the log."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
