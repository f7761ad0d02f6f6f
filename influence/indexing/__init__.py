"""The pieces of an index: a segment at a checkpoint each, made by one process, a shard, a card or a task of a cluster."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
