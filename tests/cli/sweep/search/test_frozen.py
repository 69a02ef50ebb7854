from __future__ import annotations

import sys
from pathlib import Path

from ganvas.cli.compose.composer import Composer
from ganvas.cli.sweep.search.frozen import freeze, frozen_session
from ganvas.files.folders import packaged_conf


def test_edits_do_not_reach_a_frozen_session(tmp_path: Path) -> None:
    users = tmp_path / "users"
    (users / "trainer").mkdir(parents=True)
    (users / "trainer" / "mine.yaml").write_text("defaults: [default]\nmax_examples: 111\n")
    (users / "module_of_mine.py").write_text("")
    (users / "runs" / "one").mkdir(parents=True)
    for name in ("run.yaml", "other.yaml"):
        (users / "runs" / "one" / name).write_text("a: 1\n")
    sweep = tmp_path / "sweep"
    freeze(sweep, str(users))
    kept = {
        path.relative_to(sweep / "conf").as_posix() for path in (sweep / "conf").rglob("*") if path.is_file()
    }
    packaged = {
        f"packaged/{path.relative_to(packaged_conf()).as_posix()}" for path in packaged_conf().rglob("*.yaml")
    }
    assert kept == packaged | {"user/trainer/mine.yaml"}
    (users / "trainer" / "mine.yaml").write_text("max_examples: 222\n")
    before = list(sys.path)
    with frozen_session(sweep) as hydra:
        config = Composer(hydra).compose(["trainer=mine", "model=mlp_vqvae"]).config
    assert config["trainer"]["max_examples"] == 111
    assert config["model"]["_target_"].endswith("VQVAE")
    assert sys.path == before, "a sweep's folder is data: nothing in it becomes importable"
    (sweep / "conf" / "packaged" / "trainer" / "default.yaml").write_text("max_examples: 333\n")
    with frozen_session(sweep) as hydra:
        assert Composer(hydra).compose([]).config["trainer"]["max_examples"] == 333
