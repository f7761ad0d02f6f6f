from .cancellation import CANCELLATION as CANCELLATION, CANCELLATION_TITLE as CANCELLATION_TITLE
from .part import draw as draw
