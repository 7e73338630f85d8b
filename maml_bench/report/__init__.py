"""Telling findings: tables, figures, Markdown and the HTML index."""
