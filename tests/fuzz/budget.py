"""How many examples a property tries: its own number in the suite, a multiple of it in a longer run."""

from hypothesis import HealthCheck, settings

_USUAL = settings.get_profile("steady").max_examples  # what the factor is measured against


def tries(count: int, *suppressed: HealthCheck) -> settings:
    """`count` examples in the suite; `--hypothesis-profile soak` makes as many times more as that profile says.

    `suppressed` are health checks that mean nothing for the property.
    """
    factor = max(1, settings.default.max_examples // _USUAL) if settings.default is not None else 1
    quiet = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example, *suppressed]
    return settings(max_examples=count * factor, deadline=None, suppress_health_check=quiet)
