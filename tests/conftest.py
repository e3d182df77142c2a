"""Checks shapes and types of annotated tensor functions at run time in every test."""

from jaxtyping import install_import_hook

install_import_hook("core", "beartype.beartype")
