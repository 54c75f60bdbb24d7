"""What single pages read, a module a page."""
