"""Lambda: moto's without Docker; where databases carry data, Python functions are really run."""
