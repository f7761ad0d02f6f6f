from .page import draw as draw
