"""Fixtures that several test modules share. Nothing here needs a network."""

import os
import tempfile

import hypothesis

# Before the libraries are imported: no request to the Hub, no cache outside the test's own folder.
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["HF_HOME"] = tempfile.mkdtemp(prefix="wordtrace-hf-")
os.environ["OMP_NUM_THREADS"] = "1"  # the models are so small that a second thread only gets in the way
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

hypothesis.settings.register_profile("suite", deadline=None, derandomize=True, database=None, max_examples=60)
hypothesis.settings.load_profile("suite")
