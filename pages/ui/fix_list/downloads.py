"""What the download buttons give. Called when one is pressed, outside of any page: everything comes as an argument."""

from influence.fixes import encode_fixes, export_bundle, fix_list
from influence.review import Reviews

KINDS = {".csv": "text/csv", ".jsonl": "application/jsonl", ".parquet": "application/vnd.apache.parquet"}


def fixes(reviews: Reviews, policy: str, suffix: str) -> bytes:
    """The fix list as it stands now, as a file of that ending."""
    return encode_fixes(fix_list(reviews, policy=policy).fixes, suffix)


def bundle(reviews: Reviews, policy: str) -> bytes:
    """The zip with everything."""
    return export_bundle(reviews, policy=policy)
