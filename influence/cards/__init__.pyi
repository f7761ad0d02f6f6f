from .drawing import Example as Example, Question as Question, explained as explained
from .frames import CardFrame as CardFrame
