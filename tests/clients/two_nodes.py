"""Two nodes of one deployment, as a client meets them: python two_nodes.py ENDPOINT_A ENDPOINT_B CREDENTIAL_FILE BUCKET"""

import concurrent.futures
import hashlib
import sys

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

a_url, b_url, credential, bucket = sys.argv[1:5]
fields = dict(line.strip().split("=", 1) for line in open(credential) if "=" in line)


def client(url):
    return boto3.client(
        "s3",
        endpoint_url=url,
        region_name="eu-de",
        aws_access_key_id=fields["access_key_id"],
        aws_secret_access_key=fields["secret_access_key"],
        config=Config(s3={"addressing_style": "path"}, retries={"max_attempts": 1}),
    )


a, b = client(a_url), client(b_url)


def body(number):
    seed = hashlib.sha256(str(number).encode()).digest()
    return seed * (10 if number % 2 else 8000)


# What one node stores, the other serves, small or large.
for number in range(20):
    writer, reader = (a, b) if number % 3 else (b, a)
    writer.put_object(Bucket=bucket, Key=f"mail/p/{number}", Body=body(number))
    got = reader.get_object(Bucket=bucket, Key=f"mail/p/{number}")["Body"].read()
    assert got == body(number), number


# Of two that make the same object at once, one succeeds.
def make(node, key):
    try:
        node.put_object(Bucket=bucket, Key=key, Body=b"x", IfNoneMatch="*")
        return 1
    except ClientError as error:
        assert error.response["ResponseMetadata"]["HTTPStatusCode"] in (409, 412), error
        return 0


with concurrent.futures.ThreadPoolExecutor(4) as pool:
    for number in range(20):
        both = [pool.submit(make, node, f"once/{number}") for node in (a, b)]
        assert sum(task.result() for task in both) == 1, number

# An upload begun on one node goes on on the other.
upload = a.create_multipart_upload(Bucket=bucket, Key="mail/p/large")["UploadId"]
parts = []
for number in (1, 2):
    node = b if number == 1 else a
    done = node.upload_part(
        Bucket=bucket, Key="mail/p/large", UploadId=upload, PartNumber=number, Body=bytes([number]) * (5 << 20)
    )
    parts.append({"PartNumber": number, "ETag": done["ETag"]})
b.complete_multipart_upload(
    Bucket=bucket, Key="mail/p/large", UploadId=upload, MultipartUpload={"Parts": parts}
)
assert a.get_object(Bucket=bucket, Key="mail/p/large")["Body"].read() == b"\x01" * (5 << 20) + b"\x02" * (5 << 20)

# What one deletes is gone for the other.
a.delete_object(Bucket=bucket, Key="mail/p/large")
try:
    b.head_object(Bucket=bucket, Key="mail/p/large")
    raise AssertionError("still there")
except ClientError as error:
    assert error.response["ResponseMetadata"]["HTTPStatusCode"] == 404, error
print("ok")
