"""Writes an ONNX graph node by node, with one input and one output whose first axis is the batch."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import onnx
from numpy.typing import ArrayLike
from onnx import helper, numpy_helper

_OPSET: Final = 17
_IR_VERSION: Final = 8
"""What ONNX Runtime has read since 1.12."""
_BATCH: Final = "batch"


class Graph:
    """A graph in the making; every method returns the name of a tensor."""

    def __init__(self, name: str, element: int, shape: Sequence[int]) -> None:
        self.input: Final = name
        self._inputs = [helper.make_tensor_value_info(name, element, [_BATCH, *shape])]
        self._nodes: list[onnx.NodeProto] = []
        self._constants: list[onnx.TensorProto] = []

    def node(self, operator: str, *inputs: str, **attributes: Any) -> str:
        """The output of an operator: https://onnx.ai/onnx/operators/."""
        output = f"{operator.lower()}-{len(self._nodes)}"
        self._nodes.append(helper.make_node(operator, list(inputs), [output], name=output, **attributes))
        return output

    def constant(self, value: ArrayLike) -> str:
        """An array, as float32."""
        name = f"constant-{len(self._constants)}"
        self._constants.append(numpy_helper.from_array(np.asarray(value, dtype=np.float32), name))
        return name

    def number(self, value: float) -> str:
        """A scalar, as float32."""
        return self.constant(value)

    def scaled(self, tensor: str, factor: float) -> str:
        """A tensor times a number."""
        return self.node("Mul", tensor, self.number(factor))

    def unit(self, tensor: str, floor: float = 1e-6) -> str:
        """Rows [N, D] at a length that nears 1 above `floor`: what is weaker is noise, and is left weak."""
        squares = self.node("ReduceSumSquare", tensor, axes=[1], keepdims=1)
        length = self.node("Sqrt", self.node("Add", squares, self.number(floor**2)))
        return self.node("Div", tensor, length)

    def centred_unit(self, tensor: str, floor: float) -> str:
        """The same about each row's mean: rows that are nowhere negative would all look alike."""
        mean = self.node("ReduceMean", tensor, axes=[1], keepdims=1)
        return self.unit(self.node("Sub", tensor, mean), floor)

    def model(self, output: str, dimensions: int) -> onnx.ModelProto:
        """The finished model, checked; its output is called `vectors`."""
        self._nodes.append(helper.make_node("Identity", [output], ["vectors"], name="vectors"))
        outputs = [helper.make_tensor_value_info("vectors", onnx.TensorProto.FLOAT, [_BATCH, dimensions])]
        graph = helper.make_graph(self._nodes, "embedder", self._inputs, outputs, self._constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)])
        model.ir_version = _IR_VERSION
        model.producer_name, model.producer_version = "pinwheel", ""
        onnx.checker.check_model(model, full_check=True)
        return model
