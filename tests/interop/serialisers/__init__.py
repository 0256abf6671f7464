"""Odd documents, and the echoes that read and write them."""
