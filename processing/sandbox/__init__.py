"""Read untrusted documents in children that can be killed and that know no secret."""

from processing.sandbox.client import Call, Sandbox
from processing.sandbox.limits import Limits
from processing.sandbox.wear import Wear
from processing.sandbox.wire import JSON

__all__ = ["JSON", "Call", "Limits", "Sandbox", "Wear"]
