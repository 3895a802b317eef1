"""Everything that writes documents, a module per subject."""
