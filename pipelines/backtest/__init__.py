"""What rules would have said of a stretch of history, and what the prices did after it."""
