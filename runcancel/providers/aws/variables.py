"""The variables of AWS that choose a profile and a region."""

REGION_VARIABLES: tuple[str, ...] = ("AWS_REGION", "AWS_DEFAULT_REGION")
"""botocore reads only the second; every other AWS SDK reads the first."""

PROFILE_VARIABLES: tuple[str, ...] = ("AWS_DEFAULT_PROFILE", "AWS_PROFILE")
