from .pushing import Pushed as Pushed, push as push
from .settings import CARD as CARD, DEFAULT_PATH as DEFAULT_PATH, Destination as Destination
from .upload import Upload as Upload, prepare_upload as prepare_upload
