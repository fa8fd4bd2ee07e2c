"""What the cores can do: matrix products of this encoder's sizes, in 32-bit floats and in 8-bit integers.

`python -m benchmarks.peak SECONDS` prints GFLOP/s as JSON: the highest median of the sizes, on one
thread and on all cores. ONNX Runtime's kernels are used, the fastest at hand of both kinds.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.process import ROOT, environment

# Rows, columns, columns of the product: a window, and many turns, into and out of the inner layer.
SIZES = ((384, 384, 1536), (384, 1536, 384), (2048, 384, 1536))


def measure(seconds: float) -> dict[str, float]:
    """GFLOP/s by kind and number of threads, in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.peak", str(seconds)]
    printed = subprocess.run(command, cwd=ROOT, env=environment({}), capture_output=True, check=True).stdout
    found: dict[str, float] = json.loads(printed)
    return found


def _product(rows: int, inner: int, columns: int, threads: int, integers: bool) -> Callable[[], Any]:
    import onnxruntime
    from onnx import TensorProto, helper, numpy_helper

    random = np.random.default_rng(0)
    if integers:
        left: Any = random.integers(0, 255, (rows, inner), dtype=np.uint8)
        right: Any = random.integers(-127, 127, (inner, columns), dtype=np.int8)
        operator, given, result = "MatMulInteger", TensorProto.UINT8, TensorProto.INT32
    else:
        left = random.standard_normal((rows, inner), dtype=np.float32)
        right = random.standard_normal((inner, columns), dtype=np.float32)
        operator, given, result = "MatMul", TensorProto.FLOAT, TensorProto.FLOAT
    graph = helper.make_graph(
        [helper.make_node(operator, ["left", "right"], ["product"])],
        "product",
        [helper.make_tensor_value_info("left", given, [rows, inner])],
        [helper.make_tensor_value_info("product", result, [rows, columns])],
        [numpy_helper.from_array(right, "right")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    binding = session.io_binding()
    binding.bind_ortvalue_input("left", onnxruntime.OrtValue.ortvalue_from_numpy(left))
    product = onnxruntime.OrtValue.ortvalue_from_shape_and_type([rows, columns], np.int32 if integers else np.float32)
    binding.bind_ortvalue_output("product", product)
    return lambda: session.run_with_iobinding(binding)


def _gflops(run: Callable[[], Any], flops: float, seconds: float) -> float:
    run()
    times: list[float] = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        began = time.perf_counter()
        run()
        times.append(time.perf_counter() - began)
    return flops / statistics.median(times) / 1e9


def main() -> None:
    """Measure and print."""
    seconds = float(sys.argv[1]) / (4 * len(SIZES))
    found = {
        f"{kind}/{name}": max(
            _gflops(_product(*size, threads, kind == "int8"), 2.0 * size[0] * size[1] * size[2], seconds)
            for size in SIZES
        )
        for kind in ("fp32", "int8")
        for name, threads in (("one", 1), ("all", os.cpu_count() or 1))
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main()
