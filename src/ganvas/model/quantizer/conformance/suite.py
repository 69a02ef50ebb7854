"""All that is asked of a quantizer, and how it is asked.

    from ganvas.model.quantizer.conformance.subject import Subject
    from ganvas.model.quantizer.conformance.suite import CHECKS, ask

    report = ask(Subject(lambda: Signs(embedding_dim=4)))
    assert not report.faults, report.faults

On the CPU, with a generator that is seeded for each check and put back afterwards.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch

from ganvas.model.quantizer.conformance import (
    gradients,
    halves,
    masks,
    numbers,
    programs,
    ranks,
    shapes,
    state,
)
from ganvas.model.quantizer.conformance.expect import Found, NotAsked, first_line
from ganvas.model.quantizer.conformance.subject import Subject


@dataclass(frozen=True)
class Check:
    """One thing that is asked.

    Attributes:
        look: raises Found, or anything else, where a quantizer does otherwise, NotAsked where it need not.
        is_slow: takes seconds: it compiles, exports, or starts processes.
    """

    look: Callable[[Subject], None]
    is_slow: bool = False

    @property
    def name(self) -> str:
        return self.look.__name__

    @property
    def asked(self) -> str:
        """In words, without a full stop."""
        return " ".join((self.look.__doc__ or "").partition("\n\n")[0].split()).removesuffix(".")

    def __call__(self, subject: Subject) -> None:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            self.look(subject)


_FAST = (
    gradients.the_gradient_reaches_the_encoder,
    gradients.torch_func_differentiates_it,
    gradients.parts_of_a_batch_add_up,
    halves.encode_and_decode_are_the_halves,
    halves.every_code_has_its_vector,
    halves.codes_encode_to_themselves,
    halves.the_nearest_code_in_float64,
    halves.indices_out_of_range_are_refused,
    halves.only_whole_numbers_are_indices,
    halves.no_code_decodes_to_zeros,
    halves.decode_can_be_cut_short,
    shapes.shapes_and_types,
    shapes.sizes_and_bits,
    shapes.usage_of_every_level,
    shapes.other_channels_are_refused,
    shapes.what_are_no_latents_is_refused,
    shapes.a_batch_of_one,
    shapes.constant_input,
    numbers.every_float_type,
    numbers.codes_have_the_type_of_the_module,
    numbers.a_double_is_not_rounded,
    numbers.autocast_changes_no_code,
    numbers.what_is_not_finite_shows,
    numbers.large_numbers_are_finite,
    masks.a_mask_leaves_vectors_out,
    masks.an_empty_mask_teaches_nothing,
    masks.a_full_mask_is_none,
    masks.a_mask_of_another_shape_is_refused,
    state.what_it_says_of_itself,
    state.eval_mode_leaves_the_state_alone,
    state.a_checkpoint_holds_all,
    state.a_checkpoint_from_before_the_first_batch,
    state.frozen_codes_stay,
    state.a_quantizer_without_storage_has_a_state,
    state.global_generators_are_left_alone,
)
_SLOW = (
    programs.a_traced_program,
    programs.an_exported_program,
    programs.a_compiled_one,
    programs.onnx_of_encode_and_decode,
    ranks.two_ranks_are_one_process,
)
CHECKS = (*(Check(look) for look in _FAST), *(Check(look, is_slow=True) for look in _SLOW))


@dataclass(frozen=True)
class Fault:
    """What was asked, and what was found in its place, in words."""

    check: str
    asked: str
    found: str


@dataclass(frozen=True)
class Report:
    """What a quantizer was asked: names of checks; faults; names of what was not asked, with the reason."""

    asked: list[str] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    not_asked: dict[str, str] = field(default_factory=dict)


def ask(subject: Subject, checks: Sequence[Check] = CHECKS) -> Report:
    """Asks everything; one fault hides no other."""
    report = Report()
    for check in checks:
        try:
            check(subject)
        except NotAsked as reason:
            report.not_asked[check.name] = str(reason)
            continue
        except Found as found:
            report.faults.append(Fault(check.name, check.asked, str(found)))
        except Exception as error:  # whatever a part of anybody's raises
            found_error = f"{type(error).__name__}: {first_line(error)}"
            report.faults.append(Fault(check.name, check.asked, found_error))
        report.asked.append(check.name)
    return report
