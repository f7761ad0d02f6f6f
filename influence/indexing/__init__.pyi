from .layout import lay_out as lay_out
from .making import clear as clear, make_pieces as make_pieces, several_cards as several_cards
from .plan import How as How, check_device as check_device, is_settled as is_settled
from .shards import (
    Marker as Marker,
    Shard as Shard,
    check_whole as check_whole,
    differences as differences,
    leave as leave,
    markers as markers,
    say_working as say_working,
    spent as spent,
    who_works as who_works,
)
