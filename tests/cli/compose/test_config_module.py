"""Hydra's own ``initialize_config_module("ganvas.conf")`` and ``compose``, as Hydra's users write them."""

from __future__ import annotations

import pytest
from hydra import compose as hydra_compose
from hydra import initialize, initialize_config_module
from hydra.core.global_hydra import GlobalHydra
from omegaconf import OmegaConf

from ganvas.cli.compose.experiment import compose


@pytest.mark.parametrize(
    "overrides", [[], ["model=dcgan", "data=fashion_mnist"], ["model=vqvae", "model/quantizer=fsq"]]
)
def test_the_config_is_that_of_the_command(overrides):
    with initialize_config_module("ganvas.conf", version_base="1.3"):
        config = hydra_compose("train", overrides=[*overrides, "paths.run_dir=here"])
    theirs = OmegaConf.to_container(config, resolve=True)
    ours = compose([*overrides, "paths.run_dir=here"]).config
    assert theirs == ours


def test_a_users_own_session_outlives_ours(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    with initialize(version_base="1.3", config_path=None):
        session = GlobalHydra.instance().hydra
        compose(["model=dcgan"])
        assert GlobalHydra.instance().hydra is session
        assert hydra_compose(overrides=["+a=1"]) == {"a": 1}
    assert not GlobalHydra.instance().is_initialized()
