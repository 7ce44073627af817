"""Compose conf/ and vetted overrides into plain dicts. The only file that lets Hydra compose."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lockgate.gates.errors import SettingsError
from lockgate.pipelines.settings.files import check_chosen_files


def compose_tree(conf: Path, overrides: list[str], config: str) -> dict[str, Any]:
    """conf/ composed by Hydra with vetted overrides, as plain dicts. Interpolations are not resolved."""
    return compose_with_choices(conf, overrides, config)[0]


def compose_with_choices(conf: Path, overrides: list[str], config: str) -> tuple[dict[str, Any], dict[str, str]]:
    """As `compose_tree`, and the file that was chosen for each group."""
    from hydra import compose as hydra_compose
    from hydra import initialize_config_dir
    from hydra.errors import HydraException
    from omegaconf import OmegaConf, open_dict
    from omegaconf.errors import OmegaConfBaseException
    from yaml import YAMLError

    OmegaConf.clear_resolver("oc.env")  # it would put values of the environment, such as secrets, into settings
    try:
        with initialize_config_dir(config_dir=str(conf), version_base="1.3"):
            composed = hydra_compose(config_name=config, overrides=overrides, return_hydra_config=True)
        choices = {str(group): str(file) for group, file in composed.hydra.runtime.choices.items()}
        with open_dict(composed):
            del composed["hydra"]
        tree = OmegaConf.to_container(composed, resolve=False)
    except (HydraException, OmegaConfBaseException, YAMLError, OSError, ValueError, RecursionError) as err:
        problem = " ".join(str(err).split()) or type(err).__name__
        problem = "a file is nested too deeply" if "recursion depth" in problem else problem
        raise SettingsError(f"the configuration does not compose: {problem[:240]}", where=str(conf)) from err
    check_chosen_files(conf, config, choices)
    if not isinstance(tree, dict):
        raise SettingsError("the configuration is not a mapping", where=str(conf / "config.yaml"))
    if unread := tree.pop("experiment", None):
        names = ", ".join(f"experiment.{key}" for key in unread) if isinstance(unread, dict) else "experiment"
        raise SettingsError(
            f"{names[:160]} is set, which nothing reads",
            expected="`# @package _global_` as the first line of an experiment, which would change nothing without it",
            where=f"conf/experiment/{choices.get('experiment')}.yaml" if choices.get("experiment") else str(conf),
        )
    return {str(key): value for key, value in tree.items()}, choices
