"""MLflow: a database in the run's folder, or the server that MLFLOW_TRACKING_URI names in the environment."""

from __future__ import annotations

from ganvas.logger.process.tracker import Tracker


class Mlflow(Tracker):
    """See :class:`Tracker`. Images are artifacts ``images/<tag>/<examples>.png`` of the MLflow run.

    MLflow takes a parameter once: what a resume changes stands in a tag ``resumed.<key>``.
    """

    tracker = "mlflow"
    package = "mlflow"
    keys = ("MLFLOW_TRACKING_URI",)
