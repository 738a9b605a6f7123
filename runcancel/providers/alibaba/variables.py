"""The variables of Alibaba Cloud that choose a profile and a region, and where credentials come from."""

REGION_VARIABLES: tuple[str, ...] = ("ALIBABA_CLOUD_REGION_ID", "ALIBABACLOUD_REGION_ID", "ALICLOUD_REGION_ID")
PROFILE_VARIABLES: tuple[str, ...] = ("ALIBABACLOUD_PROFILE", "ALIBABA_CLOUD_PROFILE", "ALICLOUD_PROFILE")
CREDENTIALS = (
    "ALIBABA_CLOUD_ACCESS_KEY_ID and ALIBABA_CLOUD_ACCESS_KEY_SECRET, an OIDC role, ~/.aliyun/config.json, "
    "~/.alibabacloud/credentials.ini, ALIBABA_CLOUD_CREDENTIALS_URI, "
    "and a metadata role only when ALIBABA_CLOUD_ECS_METADATA names one"
)
