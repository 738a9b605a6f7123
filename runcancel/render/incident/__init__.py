"""The incident report as a document: one story in blocks, written as Markdown or as HTML."""
