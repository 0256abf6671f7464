"""What is tried, one module a topic. `main.py` has their order."""
