from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import pytest
import torch

from ganvas.functional.contracts import put_contracts, unlike


def _twice(method: Callable[..., Any]) -> Callable[..., Any]:
    return lambda self, x: method(self, 2 * x)


class _Base(ABC):
    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        put_contracts(cls, run=_twice, other=_twice)

    @abstractmethod
    def run(self, x: int) -> int: ...


class _Middle(_Base):
    """Leaves ``run`` abstract."""


class _Own(_Middle):
    def run(self, x: int) -> int:
        """Its own words."""
        return x + 1


class _Inherits(_Own):
    pass


def test_a_contract_stands_around_what_a_class_defines_once() -> None:
    assert _Own().run(5) == 11
    assert _Inherits().run(5) == 11
    assert _Own.run.__doc__ == "Its own words."
    assert not hasattr(_Own, "other")
    with pytest.raises(TypeError, match="abstract"):
        _Middle()  # type: ignore[abstract]


def test_the_error_names_shapes() -> None:
    x, y = torch.zeros(2, 3), torch.zeros(2, 1)
    assert str(unlike(x=x, y=y)) == "x [2, 3] and y [2, 1]: must be of one shape"
    assert str(unlike(any_number=True, x=x, y=y)).endswith(", alike in all but the number of samples")
