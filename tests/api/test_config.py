from __future__ import annotations

import ganvas
from ganvas.cli.compose.experiment import compose


def test_a_config_is_a_plain_dict_of_what_the_command_composes():
    words = ["model=dcgan", "data=fashion_mnist", "paths.run_dir=here"]
    config = ganvas.compose(words)
    assert config == compose(words).config
    assert (config["data"]["image_size"], config.choices["model"], config.overrides) == (32, "dcgan", words)
