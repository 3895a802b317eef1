"""What several tests of documents start from; what cannot run without a store is left out."""

from tests.documents.storage_s3 import running_stores

# Nothing in there can run without a store.
collect_ignore = [] if running_stores() else ["test_storage_s3_stores.py", "test_bucket.py"]
