"""The least that a user would write on boto3: `status ID` or `cancel ID`."""

import sys

import boto3

verb, id = sys.argv[1:]
ssm = boto3.client("ssm", region_name="us-east-2")
if verb == "cancel":
    ssm.cancel_command(CommandId=id)
else:
    print(ssm.list_commands(CommandId=id)["Commands"][0]["Status"])
    for page in ssm.get_paginator("list_command_invocations").paginate(CommandId=id):
        print(*(row["Status"] for row in page["CommandInvocations"]))
