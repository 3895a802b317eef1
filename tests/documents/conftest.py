"""Say once which stores the storage contract was not checked on."""

from _pytest.terminal import TerminalReporter

from tests.documents.storage_s3 import missing_stores, running_stores

# Nothing in there can run without a store.
collect_ignore = [] if running_stores() else ["test_storage_s3_stores.py", "test_bucket.py"]


def pytest_terminal_summary(terminalreporter: TerminalReporter) -> None:
    """Print one line instead of a hundred skipped tests."""
    missing = missing_stores()
    if missing:
        terminalreporter.write_line(
            f"The storage contract ran without the S3 stores of {' and '.join(missing)}."
        )
