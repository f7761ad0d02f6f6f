"""The Evidence page."""

import influence
from pages.shared import render


def draw(workspace: influence.Workspace) -> None:
    """The page below the frame."""
    render.title("Evidence")
