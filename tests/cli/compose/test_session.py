from __future__ import annotations

import os
import shutil
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

from ganvas.cli.compose.hydra_internals import compose_config
from ganvas.cli.compose.session import hydra_session, kept_base, on_base

WORDS = [
    ["model=vqvae", "trainer.max_examples=3", "~callback.preview"],
    ["experiment=r3gan", "+model.foo={a: ${seed}}", "name='a b'"],
    ["data=toy", "~callback", "++trainer.x=[1,2]"],
    ["model=mlp_vqvae", "model/quantizer=fsq", "hydra.job.chdir=true", "hydra/launcher=basic"],
]


def as_written(config: Any) -> dict[str, Any]:
    """Without interpolations resolved, as a time is another one a second later; without the folder, and the
    lists of what was overridden, where the choices stand alone: no run has Hydra's section."""
    plain: Any = OmegaConf.to_container(config, resolve=False)
    del (
        plain["hydra"]["overrides"],
        plain["hydra"]["job"]["override_dirname"],
        plain["hydra"]["runtime"]["cwd"],
    )
    return plain


@pytest.mark.parametrize("words", WORDS)
def test_it_is_what_hydra_composes_and_a_change_of_one_changes_no_other(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with hydra_session(None) as hydra:
        on_base(hydra, "train", words, partial(kept_base, hydra, "train"))
        monkeypatch.chdir(tmp_path)
        plain = compose_config(hydra, "train", words)
        for _ in range(2):
            found = on_base(hydra, "train", words, partial(kept_base, hydra, "train"))
            assert as_written(found) == as_written(plain)
            found.seed = 99


def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    conf = tmp_path / "conf"
    shutil.copytree(Path(__file__).parents[3] / "conf", conf)
    with hydra_session(None, packaged=conf) as hydra:
        first = kept_base(hydra, "train", ["data=digits"])
        assert kept_base(hydra, "train", ["data=digits"]) is first
        text = (conf / "data" / "digits.yaml").read_text().replace("batch_size: 64", "batch_size: 7")
        (conf / "data" / "digits.yaml").write_text(text)
        assert kept_base(hydra, "train", ["data=digits"]).data.batch_size == 7
        (conf / "data" / "other.yaml").write_text("a: 1\n")
        os.utime(conf / "data" / "other.yaml", (1, 1))
        assert kept_base(hydra, "train", ["data=other"]).data == {"a": 1}
        (conf / "data" / "other.yaml").write_text("a: 2\n")
        assert kept_base(hydra, "train", ["data=other"]).data == {"a": 2}
