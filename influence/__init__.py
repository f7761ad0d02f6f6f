"""Wordtrace: the training examples, and the words in them, behind a text classifier's prediction.

    from influence import Workspace
    workspace = Workspace.open("workspaces/demo")
    workspace.explain("a dull film")                # a pandas frame; workspace.suspects(), .clusters(), .fixes() are others

A score above 0 is a proponent: training on that example lowered the loss on the explained label.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
__version__ = "0.1.0"
