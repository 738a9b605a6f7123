"""What an action of a verb is: `contexts add`."""

from msgspec import Struct


class Action(Struct, frozen=True, kw_only=True):
    """What one action of a verb takes and does. `options`: those of the verb's own options that it takes.

    `connection`: it takes the options of the connection as well.
    """

    takes: str
    does: str
    examples: tuple[str, ...]
    more: str
    options: tuple[str, ...] = ()
    connection: bool = False
