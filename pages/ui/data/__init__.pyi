from . import files as files
from .address import DataAddress as DataAddress
from .page import draw as draw
