"""Command line, jobs and run folders."""
