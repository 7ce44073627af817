"""Which extra installs a missing module. `pip install lockgate` alone installs only the judge."""

from __future__ import annotations

from lockgate.gates.errors import LockgateError

EXTRA_OF = {
    "boto3": "stores",
    "cryptography": "log",
    "github": "github",
    "hydra": "pipeline",
    "kubernetes": "metaflow",
    "markdown_it": "github",
    "metaflow": "metaflow",
    "obstore": "log",
    "omegaconf": "pipeline",
    "pandas": "pipeline",
    "psycopg": "stores",
    "redis": "stores",
    "requests": "mlflow",
    "skops": "pipeline",
    "sklearn": "pipeline",
    "threadpoolctl": "pipeline",
    "xgboost": "pipeline",
}
"""Top-level module → the extra of pyproject.toml that installs it."""


def name_extra(err: ModuleNotFoundError) -> LockgateError | None:
    """The error in one line, with what to install. None if no extra brings the module: then it is a bug."""
    module = (err.name or "").partition(".")[0]
    extra = EXTRA_OF.get(module)
    if extra is None:
        return None
    return LockgateError(
        f"{module} is not installed", expected=f"the extra `{extra}`", hint=f"pip install 'lockgate[{extra}]'"
    )
