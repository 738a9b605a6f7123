"""What is shown of a trigger."""

from runcancel.model.triggers import Trigger
from runcancel.render.column import Column, word

TRIGGER: tuple[Column[Trigger], ...] = (
    word("state"),
    Column("next_start_at", "NEXT START"),
    Column("ref", "TRIGGER", reference=True, is_key=True),
    Column("name", shrinkable=True),
    Column("schedule_text", "SCHEDULE", value=lambda one: one.schedule_text or one.schedule, shrinkable=True),
    Column("documents", "RUNS", shrinkable=True),
    Column("targets", "ON", shrinkable=True),
    Column("fixed_because", "NOT CHANGED BECAUSE", wide=True, shrinkable=True),
    Column("command", "TO INSPECT", wide=True),
    Column("schedule", "EXPRESSION", wide=True),
    Column("timezone", wide=True),
    Column("starts", wide=True),
    Column("tasks", wide=True, right=True),
    Column("others", "OTHER TARGETS", wide=True, right=True),
    Column("provider_status", "STATUS", wide=True),
    Column("account", wide=True),
)
