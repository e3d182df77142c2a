"""Checks shapes and types of annotated tensor functions at run time in every test; keeps out of the user's folders."""

import os
import tempfile

from jaxtyping import install_import_hook

# tests and the processes that they start must not write evidence beside a person's own
os.environ["REFINE_DP_DATA"] = tempfile.mkdtemp(prefix="refine-dp-tests-")

install_import_hook("core", "beartype.beartype")
