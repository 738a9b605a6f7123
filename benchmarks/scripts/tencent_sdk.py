"""The least that a user would write on the product's SDK: `status ID` or `cancel ID`."""

import os
import sys
from urllib.parse import urlsplit

from tencentcloud.common.credential import EnvironmentVariableCredential
from tencentcloud.common.profile.client_profile import ClientProfile
from tencentcloud.common.profile.http_profile import HttpProfile
from tencentcloud.tat.v20201028 import models
from tencentcloud.tat.v20201028.tat_client import TatClient

verb, id = sys.argv[1:]
endpoint = urlsplit(os.environ["RUNCANCEL_TENCENT_ENDPOINT_URL"])
profile = ClientProfile(httpProfile=HttpProfile(protocol=endpoint.scheme, endpoint=endpoint.netloc))
client = TatClient(EnvironmentVariableCredential().get_credential(), "ap-guangzhou", profile)
if verb == "cancel":
    wanted = models.CancelInvocationRequest()
    wanted.InvocationId = id
    client.CancelInvocation(wanted)
else:
    asked = models.DescribeInvocationsRequest()
    asked.InvocationIds = [id]
    print(client.DescribeInvocations(asked).InvocationSet[0].InvocationStatus)
