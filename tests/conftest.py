"""Fixtures that several test modules share. Nothing here needs a network."""

import os
import tempfile

# Before the libraries are imported: no request to the Hub, no cache outside the test's own folder.
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["HF_HOME"] = tempfile.mkdtemp(prefix="wordtrace-hf-")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import hypothesis

hypothesis.settings.register_profile("suite", deadline=None, derandomize=True, database=None, max_examples=60)
hypothesis.settings.load_profile("suite")

import torch

torch.set_num_threads(1)  # the models are so small that a second thread only gets in the way
