"""Sources of news, prices and charts, one small module each, and replay."""
