"""The Textual app: runs as tables and live charts, forms that launch them."""
