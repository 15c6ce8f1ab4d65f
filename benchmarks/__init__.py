"""What the engine costs. Each module is a command that prints ratios from one run; see `README.md`."""
