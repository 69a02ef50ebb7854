"""Somebody else's program: it knows contract.json, and numpy beside one tool; it has no ganvas.

python consumer.py FOLDER OUT [FOLDER OUT ...]: draws inputs as the contract describes them, runs each program
at two batch sizes, and saves what went in and came out; of a causal prior also the likeliest codes and their
samples.
"""

import importlib.util
import json
import pathlib
import sys

import numpy as np

assert importlib.util.find_spec("ganvas") is None
generator = np.random.default_rng(3)


def load(contract, folder, file):
    if contract["format"] == "onnx":
        import onnxruntime

        session = onnxruntime.InferenceSession(folder / file, providers=["CPUExecutionProvider"])
        return lambda inputs: session.run(None, inputs)
    import torch

    program = torch.export.load(folder / file).module()

    def run(inputs):
        with torch.no_grad():
            found = program(*(torch.from_numpy(np.asarray(one)) for one in inputs.values()))
        return [one.numpy() for one in (found if isinstance(found, tuple) else (found,))]

    return run


def draw(value, batch):
    shape = [batch if size == "batch" else size for size in value["shape"]]
    low, high = value.get("range", (None, None))
    if value["dtype"] == "int64":
        return generator.integers(low, high + 1, shape)
    x = generator.standard_normal(shape) if low is None else generator.uniform(low, high, shape)
    return np.asarray(x, dtype=value["dtype"])


def consume(folder, out):
    contract = json.loads((folder / "contract.json").read_text())
    made, runs = {}, {}
    for name, program in contract["programs"].items():
        runs[name] = load(contract, folder, program["file"])
        for batch in (2, 7):
            inputs = {value["name"]: draw(value, batch) for value in program["inputs"]}
            outputs = runs[name](inputs)
            for key, x in inputs.items():
                made[f"{name}/{batch}/in/{key}"] = x
            for value, x in zip(program["outputs"], outputs, strict=True):
                assert x.dtype == value["dtype"]
                assert list(x.shape) == [batch, *value["shape"][1:]]
                made[f"{name}/{batch}/out/{value['name']}"] = x

    prior = contract["programs"].get("prior", {})
    if prior.get("causal"):
        length = prior["inputs"][0]["shape"][1]
        codes = np.zeros((2, length), dtype=np.int64)
        label = {"label": np.array([1, prior["no_class"]])} if prior["no_class"] else {}
        for place in range(length):
            (logits,) = runs["prior"]({"codes": codes, **label})
            codes[:, place] = logits[:, place].argmax(-1)
        made["likeliest"] = codes
        (made["decoded"],) = runs[prior["decoded_by"]]({"codes": codes})
    np.savez(out, **made)


places = list(map(pathlib.Path, sys.argv[1:]))
for folder, out in zip(places[::2], places[1::2], strict=True):
    consume(folder, out)
