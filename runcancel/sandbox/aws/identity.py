"""The few calls around Systems Manager: who am I (STS), which regions are there (EC2 and Account)."""

from html import escape

from runcancel.sandbox import roles
from runcancel.sandbox.accounts import caller
from runcancel.sandbox.wire import Call, Document, Refusal
from runcancel.sandbox.world import Book, World

NOT_ENABLED = ("ap-east-1", "me-south-1")
VERSIONS = {"sts": "2011-06-15", "ec2": "2016-11-15"}


def get_caller_identity(world: World, book: Book, call: Call) -> Document:
    return dict(caller("aws", call.account, call.principal))


def assume_role(world: World, book: Book, call: Call) -> Document:
    session = roles.assume(world, call)
    key = session.key
    fields = {"AccessKeyId": key.id, "SecretAccessKey": key.secret, "SessionToken": key.token}
    user = {"AssumedRoleId": f"AROASANDBOX{key.account:010d}:session", "Arn": key.principal}
    return {"Credentials": {**fields, "Expiration": session.end}, "AssumedRoleUser": user}


def assume_role_with_web_identity(world: World, book: Book, call: Call) -> Document:
    roles.proved(call, "WebIdentityToken")
    return assume_role(world, book, call)


def describe_regions(world: World, book: Book, call: Call) -> Document:
    regions = [(name, "opt-in-not-required") for name in world.regions["aws"]]
    if call.params.get("AllRegions", "").lower() == "true":
        regions += [(name, "not-opted-in") for name in NOT_ENABLED]
    return {"Regions": [{"RegionName": name, "OptInStatus": status} for name, status in regions]}


def list_regions(world: World, book: Book, call: Call) -> Document:
    regions = [(name, "ENABLED_BY_DEFAULT") for name in world.regions["aws"]] + [
        (name, "DISABLED") for name in NOT_ENABLED
    ]
    statuses = call.params.get("RegionOptStatusContains")
    if statuses is not None and not isinstance(statuses, list):
        raise Refusal(400, "ValidationException", "RegionOptStatusContains must be a list.")
    rows = [{"RegionName": name, "RegionOptStatus": status} for name, status in regions]
    return {"Regions": [row for row in rows if not statuses or row["RegionOptStatus"] in statuses]}


def xml_reply(call: Call, document: Document, request_id: str) -> bytes:
    if call.service == "sts":
        return (
            f'<{call.action}Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/">'
            f"<{call.action}Result>{_fields(document)}</{call.action}Result>"
            f"<ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata></{call.action}Response>"
        ).encode()
    items = "".join(
        f"<item><regionName>{row['RegionName']}</regionName>"
        f"<regionEndpoint>ec2.{row['RegionName']}.amazonaws.com</regionEndpoint>"
        f"<optInStatus>{row['OptInStatus']}</optInStatus></item>"
        for row in document.get("Regions", ())
    )
    return (
        '<DescribeRegionsResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/">'
        f"<requestId>{request_id}</requestId><regionInfo>{items}</regionInfo></DescribeRegionsResponse>"
    ).encode()


def _fields(document: Document) -> str:
    parts = (
        (key, _fields(value) if isinstance(value, dict) else escape(value, quote=False))
        for key, value in document.items()
    )
    return "".join(f"<{key}>{inner}</{key}>" for key, inner in parts)


def xml_error(service: str, code: str, message: str, request_id: str) -> bytes:
    inner = f"<Code>{escape(code, quote=False)}</Code><Message>{escape(message, quote=False)}</Message>"
    if service == "ec2":
        errors = f"<Response><Errors><Error>{inner}</Error></Errors><RequestID>{request_id}</RequestID></Response>"
        return errors.encode()
    return (
        '<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">'
        f"<Error><Type>Sender</Type>{inner}</Error><RequestId>{request_id}</RequestId></ErrorResponse>"
    ).encode()
