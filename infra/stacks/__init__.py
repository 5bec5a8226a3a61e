"""One short module a layer: it wires components together and exports the layer's contract."""
