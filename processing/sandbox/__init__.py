"""Read untrusted documents in children that can be killed and that know no secret."""

from processing.sandbox.client import Answered, Call, Sandbox
from processing.sandbox.directories import open_left
from processing.sandbox.limits import Limits
from processing.sandbox.wear import Wear
from processing.sandbox.wire import JSON

__all__ = ["JSON", "Answered", "Call", "Limits", "Sandbox", "Wear", "open_left"]
