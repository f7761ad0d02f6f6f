from .part import draw as draw
