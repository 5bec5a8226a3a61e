"""A catalogue that looks real: people, boards, pins with pictures, and who saved what. The same every time."""
