from __future__ import annotations

import math

from ganvas.play.work.autoencoder import Bits
from ganvas.play.work.said import said_bits, said_quality


def test_metrics_are_told_by_their_names_and_units() -> None:
    found = {"psnr": 20.125, "ssim": 0.5, "ms_ssim": 0.25, "si_sdr_db": -3.0, "log_mel_distance_db": 2.0}
    assert said_quality(found) == [
        *("PSNR 20.12 dB", "SSIM 0.500", "MS-SSIM 0.250", "SI-SDR -3.00 dB", "log mel distance 2.00 dB"),
    ]
    assert said_quality({"multi_resolution_stft_distance": 1.0}) == ["multi resolution STFT distance 1.000"]
    assert said_quality({"psnr": math.inf, "ssim": math.nan}) == ["no error"]


def test_bits_are_those_of_all_that_is_known() -> None:
    rate = {"kilobits_per_second": 200.0}
    assert said_bits(Bits(1000.0, None, is_bound=False), rate) == ["1,000 bits", "5 kilobits per second"]
    known = said_bits(Bits(1000.0, 500.25, is_bound=True), rate)
    assert known == ["1,000 bits", "at most 500.2 bits under the prior", "2.5 kilobits per second"]
    text = said_bits(Bits(64.0, 32.0, is_bound=False, rest=96.0), {"bits_per_byte": 16.0})
    assert text[-2:] == ["96 bits that the decoder leaves", "in all 8 bits per byte"]
