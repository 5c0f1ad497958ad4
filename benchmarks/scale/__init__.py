r"""How cost grows with the number of interactions, by mode and number of processes."""
