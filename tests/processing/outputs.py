"""What stages would have made of a document, for tests that look at what follows."""

import numpy as np

from processing.extraction import Extraction

EXTRACTION = Extraction.from_json({"pages": [], "title": "", "language": "", "metadata": {}})
NO_VECTORS = np.empty((0, 2), np.float32)
