"""The variables of Tencent Cloud that choose a profile and a region, and where credentials come from."""

REGION_VARIABLES: tuple[str, ...] = ("TENCENTCLOUD_REGION",)
PROFILE_VARIABLES: tuple[str, ...] = ("TCCLI_PROFILE",)
CREDENTIALS = (
    "TENCENTCLOUD_SECRET_ID and TENCENTCLOUD_SECRET_KEY (with TENCENTCLOUD_TOKEN for temporary keys), "
    "tccli's profile (TCCLI_PROFILE, else default) and ~/.tencentcloud/credentials"
)
