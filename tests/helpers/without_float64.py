"""A pretended device that has no float64, as Apple's GPUs have none; its tensors are computed on the CPU.

Inside :class:`PretendedDevice` a tensor that is made on, or moved to, the device is a :class:`DeviceTensor`.
An operation that would make one of float64 raises TypeError, one that mixes it with a tensor of the CPU
raises RuntimeError, as torch's do.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode, return_and_correct_aliasing
from torch.utils._pytree import tree_leaves, tree_map_only
from torch.utils.backend_registration import _setup_privateuseone_for_python_backend

from ganvas.functional import precision

NAME = "pretended"
_COPIES = {"aten::_to_copy", "aten::copy_", "aten::_foreach_copy_", "aten::_local_scalar_dense"}


class DeviceTensor(Tensor):
    """A CPU tensor that says that it lies on the device."""

    inner: Tensor

    @staticmethod
    def __new__(cls, inner: Tensor) -> DeviceTensor:
        made = Tensor._make_wrapper_subclass(
            cls,
            inner.size(),
            strides=inner.stride(),
            storage_offset=inner.storage_offset(),
            dtype=inner.dtype,
            device=torch.device(NAME, 0),
        )
        made.inner = inner
        return made

    def __repr__(self) -> str:
        return f"DeviceTensor({self.inner!r})"

    def __tensor_flatten__(self) -> tuple[list[str], None]:
        return ["inner"], None

    @staticmethod
    def __tensor_unflatten__(inner: dict[str, Tensor], *_: Any) -> DeviceTensor:
        return DeviceTensor(inner["inner"])

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _run(func, args, kwargs or {})


class PretendedDevice(TorchDispatchMode):
    """Makes tensors on ``mps`` where code asks for them."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _run(func, args, kwargs or {})


class _TensorOnDevice(TorchFunctionMode):
    """What passes a dispatch mode by: ``torch.tensor`` and ``tolist`` reach for memory themselves."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        if func in (torch.tensor, torch.as_tensor) and kwargs.get("device") is not None:
            device = kwargs.pop("device")
            return func(*args, **kwargs).to(device)
        if func is Tensor.tolist and isinstance(args[0], DeviceTensor):
            return args[0].inner.tolist()
        return func(*args, **kwargs)


def _run(func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    tensors = [one for one in tree_leaves((args, kwargs)) if isinstance(one, Tensor)]
    name, asked = func._schema.name, kwargs.get("device")
    on_device = any(isinstance(one, DeviceTensor) for one in tensors)
    others = [one for one in tensors if not isinstance(one, DeviceTensor) and one.ndim]
    if on_device and others and name not in _COPIES:
        raise RuntimeError(f"{name}: expected all tensors to be on the same device, found one of the CPU")
    makes = torch.device(asked).type == NAME if asked is not None else on_device
    if asked is not None:
        kwargs = kwargs | {"device": torch.device("cpu")}
    plain_args, plain_kwargs = tree_map_only(DeviceTensor, lambda one: one.inner, (args, kwargs))
    out = func(*plain_args, **plain_kwargs)
    if not makes or name == "aten::_local_scalar_dense":
        return out
    wrapped = tree_map_only(Tensor, _on_device, out)
    if name == "aten::copy_" and not isinstance(args[0], DeviceTensor):
        return args[0]
    return return_and_correct_aliasing(func, args, kwargs, wrapped)


def _on_device(inner: Tensor) -> DeviceTensor:
    if inner.dtype in (torch.float64, torch.complex128):
        raise TypeError("the pretended device has no float64")
    return inner if isinstance(inner, DeviceTensor) else DeviceTensor(inner)


class _Module:
    """What torch and Lightning ask of a kind of device."""

    manual_seed = manual_seed_all = staticmethod(lambda seed: None)
    is_available = is_initialized = staticmethod(lambda: True)
    device_count = staticmethod(lambda: 1)
    current_device = staticmethod(lambda: 0)
    _is_in_bad_fork = staticmethod(lambda: False)
    get_amp_supported_dtype = staticmethod(lambda: [torch.float16, torch.bfloat16])


def register() -> None:
    """Makes the device known for the rest of the process; before anything is differentiated."""
    _setup_privateuseone_for_python_backend(NAME, backend_module=_Module())
    precision._WITHOUT_FLOAT64.add(NAME)


@contextmanager
def pretend() -> Iterator[None]:
    """Inside, tensors can be made on the device."""
    with _TensorOnDevice(), PretendedDevice():
        yield
