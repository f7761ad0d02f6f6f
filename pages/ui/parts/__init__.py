"""What several pages draw: explanations, rows, charts, bulk decisions, queues, suspicions."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
