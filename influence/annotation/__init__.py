"""Files of annotation tools: Label Studio, Argilla, Prodigy, doccano, spaCy.

They are read as a row a text, with who gave which label, and written again in their own form.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
