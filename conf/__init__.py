"""The packaged config groups, also for Hydra's own ``initialize_config_module("ganvas.conf")``.

Importing it registers the functions that the YAMLs use inside ``${ganvas....}``.
"""

from ganvas.cli.compose.session import register_resolvers

register_resolvers()
