"""What the engine costs: each module is a command that prints ratios taken in one run. `README.md` tells of them."""
