"""What the adapters share: HTTP, paging, fields, links, credentials."""
