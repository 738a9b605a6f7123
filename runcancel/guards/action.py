"""What an operation does to what: the words of its questions and refusals, and of the rules about it."""

from msgspec import Struct


class Action(Struct, frozen=True):
    """`verb` is the command and the word of the site policy; `noun` is what it is about."""

    verb: str
    noun: str

    @property
    def question(self) -> str:
        """The verb at the beginning of a sentence."""
        return self.verb.capitalize()


CANCEL = Action("cancel", "run")
DISABLE = Action("disable", "trigger")
ENABLE = Action("enable", "trigger")
