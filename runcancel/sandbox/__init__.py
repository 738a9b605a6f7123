"""Three pretended clouds on loopback, for rehearsals, tests and benchmarks."""

from runcancel.sandbox.box import Sandbox, SandboxOptions

__all__ = ["Sandbox", "SandboxOptions"]
