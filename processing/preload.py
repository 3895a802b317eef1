"""What every sandboxed child has loaded before it is asked for anything."""

from processing.enrichment import task as finding
from processing.extraction import task as reading
from processing.previews import task as drawing


def warm_up() -> None:
    """Load what reads, draws and finds, so that children forked later have it."""
    reading.warm_up()
    drawing.warm_up()
    finding.warm_up()
