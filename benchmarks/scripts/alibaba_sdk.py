"""The least that a user would write on the typed SDK: `status ID` or `cancel ID`."""

import os
import sys
from urllib.parse import urlsplit

from alibabacloud_ecs20140526 import models
from alibabacloud_ecs20140526.client import Client
from alibabacloud_tea_openapi.models import Config

verb, id = sys.argv[1:]
endpoint = urlsplit(os.environ["RUNCANCEL_ALIBABA_ENDPOINT_URL"])
client = Client(
    Config(
        access_key_id=os.environ["ALIBABA_CLOUD_ACCESS_KEY_ID"],
        access_key_secret=os.environ["ALIBABA_CLOUD_ACCESS_KEY_SECRET"],
        region_id="cn-hangzhou",
        endpoint=endpoint.netloc,
        protocol=endpoint.scheme,
    )
)
if verb == "cancel":
    client.stop_invocation(models.StopInvocationRequest(region_id="cn-hangzhou", invoke_id=id))
else:
    asked = models.DescribeInvocationsRequest(region_id="cn-hangzhou", invoke_id=id)
    print(client.describe_invocations(asked).body.invocations.invocation[0].invocation_status)
