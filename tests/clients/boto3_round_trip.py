"""A full round trip with boto3 as its users run it: default settings, default checksums.

Reads from the environment: ENDPOINT, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, REGION (the deployment's own), and BIG,
the size of the big file in bytes.
Any difference ends the script with a traceback.
"""

import datetime
import hashlib
import os
import sys
import tempfile
import urllib.error
import urllib.request

import boto3
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import ClientError

MIB = 1 << 20
SIZES = [0, 1, 16383, 16384, 16385, 65536, 65537, 5 * MIB, 8 * MIB + 1]


def client(**settings):
    return boto3.client("s3", endpoint_url=os.environ["ENDPOINT"], region_name=settings.pop("region", "us-east-1"), **settings)


def noise(size, seed):
    return hashlib.shake_128(seed.encode()).digest(size)


def refused(code, call, **arguments):
    try:
        call(**arguments)
    except ClientError as error:
        got = error.response["Error"]["Code"]
        assert got == code, f"expected {code}, got {got}: {error}"
        return error
    raise AssertionError(f"expected {code}, but it was done")


def buckets(s3):
    s3.create_bucket(Bucket="boto")
    s3.create_bucket(Bucket="boto")  # as in Amazon's first region
    own_region = client(region=os.environ["REGION"])
    refused("BucketAlreadyOwnedByYou", own_region.create_bucket, Bucket="boto")
    assert "boto" in [b["Name"] for b in s3.list_buckets()["Buckets"]]
    head = s3.head_bucket(Bucket="boto")
    assert head["BucketRegion"] == s3.get_bucket_location(Bucket="boto")["LocationConstraint"]
    refused("404", s3.head_bucket, Bucket="missing")
    refused("NoSuchBucket", s3.list_objects_v2, Bucket="missing")
    refused("InvalidLocationConstraint", s3.create_bucket, Bucket="elsewhere",
            CreateBucketConfiguration={"LocationConstraint": "mars-1"})
    assert s3.get_bucket_encryption(Bucket="boto")["ServerSideEncryptionConfiguration"]["Rules"][0][
        "ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] == "aws:kms"
    assert "Status" not in s3.get_bucket_versioning(Bucket="boto")


def objects(s3):
    for size in SIZES:
        key, body = f"sizes/{size}", noise(size, str(size))
        put = s3.put_object(Bucket="boto", Key=key, Body=body)
        assert put["ServerSideEncryption"] == "aws:kms"
        assert put["ETag"].strip('"') != hashlib.md5(body).hexdigest()
        assert put["ChecksumCRC32"] or put["ChecksumCRC64NVME"]
        got = s3.get_object(Bucket="boto", Key=key)
        assert got["ETag"] == put["ETag"] and got["ContentLength"] == size
        assert got["Body"].read() == body, key
        head = s3.head_object(Bucket="boto", Key=key, ChecksumMode="ENABLED")
        assert head["ContentLength"] == size and head.get("ChecksumCRC32") == put.get("ChecksumCRC32")
    body = noise(65537, "65537")
    for first, last in [(0, 0), (0, 16383), (16383, 16384), (16384, 40000), (65000, 99999)]:
        got = s3.get_object(Bucket="boto", Key="sizes/65537", Range=f"bytes={first}-{last}")
        assert got["Body"].read() == body[first:last + 1]
        assert got["ContentRange"] == f"bytes {first}-{min(last, 65536)}/65537"
        assert got["ResponseMetadata"]["HTTPStatusCode"] == 206
    assert s3.get_object(Bucket="boto", Key="sizes/65537", Range="bytes=-5")["Body"].read() == body[-5:]
    assert s3.get_object(Bucket="boto", Key="sizes/65537", Range="bytes=65530-")["Body"].read() == body[65530:]
    refused("InvalidRange", s3.get_object, Bucket="boto", Key="sizes/65537", Range="bytes=65537-")
    refused("NoSuchKey", s3.get_object, Bucket="boto", Key="missing")
    for key in ["spaces and +%&?#", "ünï/çødé/日本", "a//b/", "quote\"'<>&", "tilde~*()!"]:
        s3.put_object(Bucket="boto", Key="names/" + key, Body=key.encode())
        assert s3.get_object(Bucket="boto", Key="names/" + key)["Body"].read() == key.encode()
    listed = [o["Key"] for o in s3.list_objects_v2(Bucket="boto", Prefix="names/")["Contents"]]
    assert len(listed) == 5 and listed == sorted(listed, key=str.encode), listed


def metadata(s3):
    s3.put_object(Bucket="boto", Key="meta", Body=b"x", ContentType="text/plain; charset=utf-8", CacheControl="no-store",
                  ContentDisposition="attachment", ContentEncoding="gzip", ContentLanguage="de",
                  Metadata={"Colour": "Blue", "n": "1"}, Tagging="a=1&b=zw%20ei")
    got = s3.get_object(Bucket="boto", Key="meta")
    assert got["ContentType"] == "text/plain; charset=utf-8" and got["CacheControl"] == "no-store"
    assert got["ContentEncoding"] == "gzip" and got["ContentDisposition"] == "attachment"
    assert got["Metadata"] == {"colour": "Blue", "n": "1"} and got["TagCount"] == 2
    tags = s3.get_object_tagging(Bucket="boto", Key="meta")["TagSet"]
    assert tags == [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "zw ei"}]
    s3.put_object_tagging(Bucket="boto", Key="meta", Tagging={"TagSet": [{"Key": "c", "Value": "3"}]})
    assert s3.get_object_tagging(Bucket="boto", Key="meta")["TagSet"] == [{"Key": "c", "Value": "3"}]
    s3.delete_object_tagging(Bucket="boto", Key="meta")
    assert s3.get_object_tagging(Bucket="boto", Key="meta")["TagSet"] == []
    refused("MetadataTooLarge", s3.put_object, Bucket="boto", Key="m", Body=b"", Metadata={"k": "v" * 2100})
    refused("InvalidTag", s3.put_object_tagging, Bucket="boto", Key="meta",
            Tagging={"TagSet": [{"Key": str(i), "Value": ""} for i in range(11)]})
    attributes = s3.get_object_attributes(Bucket="boto", Key="meta", ObjectAttributes=["ETag", "ObjectSize", "Checksum"])
    assert attributes["ObjectSize"] == 1 and attributes["Checksum"]
    assert '"' + attributes["ETag"] + '"' == got["ETag"]
    s3.put_object_tagging(Bucket="boto", Key="meta", Tagging={"TagSet": [{"Key": "z", "Value": ""}]})
    assert s3.head_object(Bucket="boto", Key="meta")["TagCount"] == 1


def conditions(s3):
    etag = s3.put_object(Bucket="boto", Key="cond", Body=b"1", IfNoneMatch="*")["ETag"]
    refused("PreconditionFailed", s3.put_object, Bucket="boto", Key="cond", Body=b"2", IfNoneMatch="*")
    refused("PreconditionFailed", s3.put_object, Bucket="boto", Key="cond", Body=b"2", IfMatch='"other"')
    refused("304", s3.get_object, Bucket="boto", Key="cond", IfNoneMatch=etag)
    refused("304", s3.head_object, Bucket="boto", Key="cond", IfNoneMatch=etag)
    refused("PreconditionFailed", s3.get_object, Bucket="boto", Key="cond", IfMatch='"other"')
    when = s3.head_object(Bucket="boto", Key="cond")["LastModified"]
    refused("304", s3.get_object, Bucket="boto", Key="cond", IfModifiedSince=when)
    assert s3.get_object(Bucket="boto", Key="cond", IfUnmodifiedSince=when)["Body"].read() == b"1"
    second = s3.put_object(Bucket="boto", Key="cond", Body=b"2", IfMatch=etag)["ETag"]
    assert second != etag and s3.get_object(Bucket="boto", Key="cond")["Body"].read() == b"2"


def copies(s3):
    body = noise(6 * MIB, "copy")
    s3.put_object(Bucket="boto", Key="copy/a", Body=body, Metadata={"k": "v"}, Tagging="t=1", ContentType="text/x")
    s3.copy_object(Bucket="boto", Key="copy/b", CopySource={"Bucket": "boto", "Key": "copy/a"})
    got = s3.get_object(Bucket="boto", Key="copy/b")
    assert got["Body"].read() == body and got["Metadata"] == {"k": "v"} and got["ContentType"] == "text/x"
    assert s3.get_object_tagging(Bucket="boto", Key="copy/b")["TagSet"] == [{"Key": "t", "Value": "1"}]
    s3.copy_object(Bucket="boto", Key="copy/a", CopySource="boto/copy/a", MetadataDirective="REPLACE",
                   Metadata={"new": "1"}, ContentType="text/y")
    got = s3.get_object(Bucket="boto", Key="copy/a")
    assert got["Body"].read() == body and got["Metadata"] == {"new": "1"} and got["ContentType"] == "text/y"
    refused("InvalidRequest", s3.copy_object, Bucket="boto", Key="copy/a", CopySource="boto/copy/a")
    refused("NoSuchKey", s3.copy_object, Bucket="boto", Key="copy/c", CopySource="boto/missing")
    refused("NoSuchBucket", s3.copy_object, Bucket="boto", Key="copy/c", CopySource="missing/x")
    refused("PreconditionFailed", s3.copy_object, Bucket="boto", Key="copy/c", CopySource="boto/copy/a",
            CopySourceIfNoneMatch=got["ETag"])


def copies_in_regions(s3):
    s3.put_object(Bucket="boto", Key="copy/here", Body=b"here")

    def asking(region):
        other = client()
        other.meta.events.register("before-sign.s3", lambda request, **_: request.headers.add_header("x-amparo-copy-in", region))
        return other

    lies_in = s3.head_bucket(Bucket="boto")["BucketRegion"]
    assert asking(lies_in).get_object(Bucket="boto", Key="copy/here")["Body"].read() == b"here"
    refused("NoSuchKey", asking("mars-1").get_object, Bucket="boto", Key="copy/here")
    refused("404", asking("mars-1").head_object, Bucket="boto", Key="copy/here")
    refused("InvalidArgument", asking("No Region!").get_object, Bucket="boto", Key="copy/here")


def multipart(s3):
    parts = [noise(5 * MIB, "p1"), noise(5 * MIB + 7, "p2"), noise(3, "p3")]
    # CRC32C and CRC64NVME need a package that boto3 does not bring.
    for algorithm in [None, "CRC32", "SHA1", "SHA256"]:
        key = f"multi/{algorithm}"
        asked = {"ChecksumAlgorithm": algorithm} if algorithm else {}
        upload = s3.create_multipart_upload(Bucket="boto", Key=key, Metadata={"a": "b"}, **asked)["UploadId"]
        done = []
        for number, part in enumerate(parts, 1):
            answer = s3.upload_part(Bucket="boto", Key=key, UploadId=upload, PartNumber=number, Body=part, **asked)
            entry = {"PartNumber": number, "ETag": answer["ETag"]}
            if algorithm:
                entry[f"Checksum{algorithm}"] = answer[f"Checksum{algorithm}"]
            done.append(entry)
        assert [u["UploadId"] for u in s3.list_multipart_uploads(Bucket="boto", Prefix=key)["Uploads"]] == [upload]
        listed = s3.list_parts(Bucket="boto", Key=key, UploadId=upload, MaxParts=2)
        assert [p["Size"] for p in listed["Parts"]] == [len(parts[0]), len(parts[1])] and listed["IsTruncated"]
        answer = s3.complete_multipart_upload(Bucket="boto", Key=key, UploadId=upload, MultipartUpload={"Parts": done})
        assert answer["ETag"].strip('"').endswith("-3"), answer["ETag"]
        got = s3.get_object(Bucket="boto", Key=key)
        assert got["Body"].read() == b"".join(parts) and got["Metadata"] == {"a": "b"}
        second = s3.get_object(Bucket="boto", Key=key, PartNumber=2)
        assert second["Body"].read() == parts[1] and second["PartsCount"] == 3
        if algorithm:
            assert second[f"Checksum{algorithm}"] == done[1][f"Checksum{algorithm}"]
        across = s3.get_object(Bucket="boto", Key=key, Range=f"bytes={5 * MIB - 9}-{5 * MIB + 9}")["Body"].read()
        assert across == b"".join(parts)[5 * MIB - 9:5 * MIB + 10]
        if algorithm:
            head = s3.head_object(Bucket="boto", Key=key, ChecksumMode="ENABLED")
            assert head[f"Checksum{algorithm}"] == answer[f"Checksum{algorithm}"]
            sizes = s3.get_object_attributes(Bucket="boto", Key=key, ObjectAttributes=["ObjectParts"])["ObjectParts"]
            assert sizes["TotalPartsCount"] == 3
    upload = s3.create_multipart_upload(Bucket="boto", Key="multi/copy")["UploadId"]
    one = s3.upload_part_copy(Bucket="boto", Key="multi/copy", UploadId=upload, PartNumber=1,
                              CopySource="boto/multi/None", CopySourceRange=f"bytes=0-{5 * MIB - 1}")["CopyPartResult"]
    refused("InvalidRange", s3.upload_part_copy, Bucket="boto", Key="multi/copy", UploadId=upload, PartNumber=1,
            CopySource="boto/multi/None", CopySourceRange="bytes=0-99999999")
    two = s3.upload_part(Bucket="boto", Key="multi/copy", UploadId=upload, PartNumber=9, Body=b"end")
    s3.complete_multipart_upload(Bucket="boto", Key="multi/copy", UploadId=upload, MultipartUpload={"Parts": [
        {"PartNumber": 1, "ETag": one["ETag"]}, {"PartNumber": 9, "ETag": two["ETag"]}]})
    assert s3.get_object(Bucket="boto", Key="multi/copy")["Body"].read() == parts[0] + b"end"
    upload = s3.create_multipart_upload(Bucket="boto", Key="multi/bad")["UploadId"]
    small = [s3.upload_part(Bucket="boto", Key="multi/bad", UploadId=upload, PartNumber=n, Body=b"x") for n in (1, 2)]
    refused("EntityTooSmall", s3.complete_multipart_upload, Bucket="boto", Key="multi/bad", UploadId=upload,
            MultipartUpload={"Parts": [{"PartNumber": n, "ETag": p["ETag"]} for n, p in enumerate(small, 1)]})
    refused("InvalidPart", s3.complete_multipart_upload, Bucket="boto", Key="multi/bad", UploadId=upload,
            MultipartUpload={"Parts": [{"PartNumber": 7, "ETag": '"x"'}]})
    refused("InvalidPartOrder", s3.complete_multipart_upload, Bucket="boto", Key="multi/bad", UploadId=upload,
            MultipartUpload={"Parts": [{"PartNumber": n, "ETag": small[n - 1]["ETag"]} for n in (2, 1)]})
    refused("InvalidArgument", s3.upload_part, Bucket="boto", Key="multi/bad", UploadId=upload, PartNumber=10001, Body=b"")
    s3.abort_multipart_upload(Bucket="boto", Key="multi/bad", UploadId=upload)
    refused("NoSuchUpload", s3.upload_part, Bucket="boto", Key="multi/bad", UploadId=upload, PartNumber=1, Body=b"")
    assert "Uploads" not in s3.list_multipart_uploads(Bucket="boto")


def listings(s3):
    names = [f"list/{d}/{n:03}" for d in "abc" for n in range(7)] + ["list/top"]
    for name in names:
        s3.put_object(Bucket="boto", Key=name, Body=b"")
    for call in ["list_objects", "list_objects_v2", "list_object_versions"]:
        pages = s3.get_paginator(call).paginate(Bucket="boto", Prefix="list/", PaginationConfig={"PageSize": 4})
        field = "Versions" if call == "list_object_versions" else "Contents"
        assert [o["Key"] for page in pages for o in page.get(field, [])] == sorted(names), call
        pages = list(s3.get_paginator(call).paginate(Bucket="boto", Prefix="list/", Delimiter="/",
                                                     PaginationConfig={"PageSize": 2}))
        prefixes = [p["Prefix"] for page in pages for p in page.get("CommonPrefixes", [])]
        assert prefixes == ["list/a/", "list/b/", "list/c/"], (call, prefixes)
        assert [o["Key"] for page in pages for o in page.get(field, [])] == ["list/top"], call
    assert s3.list_objects_v2(Bucket="boto", MaxKeys=0)["KeyCount"] == 0
    assert all(v["VersionId"] == "null" for v in s3.list_object_versions(Bucket="boto")["Versions"])
    later = s3.list_objects_v2(Bucket="boto", Prefix="list/", StartAfter="list/c/005")["Contents"]
    assert [o["Key"] for o in later] == ["list/c/006", "list/top"]
    answer = s3.delete_objects(Bucket="boto", Delete={"Objects": [{"Key": n} for n in names + ["list/never-there"]]})
    assert len(answer["Deleted"]) == len(names) + 1 and "Errors" not in answer
    assert s3.list_objects_v2(Bucket="boto", Prefix="list/")["KeyCount"] == 0
    refused("MalformedXML", s3.delete_objects, Bucket="boto", Delete={"Objects": [{"Key": str(i)} for i in range(1001)]})


def presigned(_):
    # boto3 still presigns with Version 2 unless told otherwise, and that is refused.
    s3 = client(config=Config(signature_version="s3v4"))
    put = s3.generate_presigned_url("put_object", Params={"Bucket": "boto", "Key": "signed"}, ExpiresIn=60)
    urllib.request.urlopen(urllib.request.Request(put, data=b"by url", method="PUT")).read()
    get = s3.generate_presigned_url("get_object", Params={"Bucket": "boto", "Key": "signed",
                                                         "ResponseContentType": "text/z"}, ExpiresIn=60)
    with urllib.request.urlopen(get) as answer:
        assert answer.read() == b"by url" and answer.headers["Content-Type"] == "text/z"
    for broken in [get.replace("signed", "meta"), get.replace("X-Amz-Expires=60", "X-Amz-Expires=61")]:
        try:
            urllib.request.urlopen(broken)
        except urllib.error.HTTPError as error:
            assert error.code == 403 and b"SignatureDoesNotMatch" in error.read()
        else:
            raise AssertionError("a changed presigned URL was served")


def encryption(s3):
    key = {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": "k" * 32}
    refused("AccessDenied", s3.put_object, Bucket="boto", Key="ssec", Body=b"x", **key)
    refused("403", s3.head_object, Bucket="boto", Key="meta", **key)
    refused("404", s3.head_object, Bucket="boto", Key="ssec")
    for asked in ["AES256", "aws:kms"]:
        assert s3.put_object(Bucket="boto", Key="sse", Body=b"x", ServerSideEncryption=asked)[
            "ServerSideEncryption"] == asked
    refused("KMS.NotFoundException", s3.put_object, Bucket="boto", Key="sse", Body=b"x",
            ServerSideEncryption="aws:kms", SSEKMSKeyId="arn:aws:kms:x:y:key/z")
    refused("AccessDenied", s3.put_object, Bucket="boto", Key="acl", Body=b"x", ACL="public-read")


def versions(s3):
    s3.create_bucket(Bucket="locked", ObjectLockEnabledForBucket=True)
    assert s3.get_bucket_versioning(Bucket="locked")["Status"] == "Enabled"
    put = lambda body, **lock: s3.put_object(Bucket="locked", Key="k", Body=body, **lock)["VersionId"]
    first, second = put(b"first"), put(b"second")
    assert s3.get_object(Bucket="locked", Key="k", VersionId=first)["Body"].read() == b"first"
    marker = s3.delete_object(Bucket="locked", Key="k")
    assert marker["DeleteMarker"]
    gone = refused("NoSuchKey", s3.get_object, Bucket="locked", Key="k")
    assert gone.response["ResponseMetadata"]["HTTPHeaders"]["x-amz-delete-marker"] == "true"
    listed = s3.list_object_versions(Bucket="locked")
    assert [v["VersionId"] for v in listed["Versions"]] == [second, first]
    assert [m["VersionId"] for m in listed["DeleteMarkers"]] == [marker["VersionId"]]
    s3.put_object_legal_hold(Bucket="locked", Key="k", VersionId=first, LegalHold={"Status": "ON"})
    held = dict(Bucket="locked", Key="k", VersionId=first)
    refused("AccessDenied", s3.delete_object, **held)
    refused("AccessDenied", s3.delete_object, **held, BypassGovernanceRetention=True)
    s3.put_object_legal_hold(**held, LegalHold={"Status": "OFF"})
    until = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=1)
    s3.put_object_retention(**held, Retention={"Mode": "GOVERNANCE", "RetainUntilDate": until})
    # This access key was never permitted to pass over governance.
    refused("AccessDenied", s3.delete_object, **held, BypassGovernanceRetention=True)
    assert s3.head_object(**held)["ObjectLockMode"] == "GOVERNANCE"
    refused("InvalidBucketState", s3.put_bucket_versioning, Bucket="locked",
            VersioningConfiguration={"Status": "Suspended"})
    s3.delete_object(Bucket="locked", Key="k", VersionId=second)
    refused("BucketNotEmpty", s3.delete_bucket, Bucket="locked")


def forms(s3):
    """A browser's upload, and what it asks first."""
    signing = client(config=Config(signature_version="s3v4"))
    form = signing.generate_presigned_post("boto", "form/${filename}", ExpiresIn=60,
                                           Conditions=[["starts-with", "$key", "form/"], ["content-length-range", 1, 100]])

    def post(fields, body):
        line = "--limit\r\nContent-Disposition: form-data; name=\"%s\"%s\r\n\r\n"
        text = b"".join((line % (name, "") + value + "\r\n").encode() for name, value in fields.items())
        text += (line % ("file", "; filename=\"f.txt\"")).encode() + body + b"\r\n--limit--\r\n"
        request = urllib.request.Request(form["url"], data=text, method="POST")
        request.add_header("Content-Type", "multipart/form-data; boundary=limit")
        try:
            return urllib.request.urlopen(request).status
        except urllib.error.HTTPError as error:
            return error.code

    fields = form["fields"] | {"key": "form/f.txt"}
    assert post(fields, b"by form") == 204
    assert s3.get_object(Bucket="boto", Key="form/f.txt")["Body"].read() == b"by form"
    for broken in [fields | {"key": "elsewhere"}, fields | {"x-amz-signature": "0" * 64},
                   fields | {"x-amz-storage-class": "GLACIER"}]:
        assert post(broken, b"x") == 403, broken
    assert post(fields, b"x" * 101) == 400

    s3.put_bucket_cors(Bucket="boto", CORSConfiguration={"CORSRules": [
        {"AllowedMethods": ["GET"], "AllowedOrigins": ["https://*.example"], "MaxAgeSeconds": 60}]})
    url = signing.generate_presigned_url("get_object", Params={"Bucket": "boto", "Key": "form/f.txt"})
    for method, origin, allowed in [("OPTIONS", "https://a.example", True), ("GET", "https://a.example", True),
                                    ("OPTIONS", "https://a.test", False), ("GET", "https://a.test", False)]:
        request = urllib.request.Request(url, method=method)
        request.add_header("Origin", origin)
        request.add_header("Access-Control-Request-Method", "GET")
        try:
            answer = urllib.request.urlopen(request)
        except urllib.error.HTTPError as error:
            assert error.code == 403 and method == "OPTIONS"
            answer = error
        assert answer.headers.get("Access-Control-Allow-Origin") == (origin if allowed else None), (method, origin)


def strangers():
    endpoint = {"aws_access_key_id": "AKIANOBODY"}
    refused("InvalidAccessKeyId", client(**endpoint, aws_secret_access_key="x").list_buckets)
    own = os.environ["AWS_ACCESS_KEY_ID"]
    refused("SignatureDoesNotMatch", client(aws_access_key_id=own, aws_secret_access_key="wrong").list_buckets)
    refused("AuthorizationHeaderMalformed", client(region="mars-1").put_object, Bucket="boto", Key="x", Body=b"")


def big(s3, size):
    block = noise(MIB, "big")
    wanted, got = hashlib.sha256(), hashlib.sha256()
    with tempfile.TemporaryDirectory() as folder:
        source, target = folder + "/source", folder + "/target"
        with open(source, "wb") as file:
            for number in range(size // MIB):
                piece = number.to_bytes(8, "big") + block[8:]
                wanted.update(piece)
                file.write(piece)
        settings = TransferConfig(multipart_chunksize=16 * MIB, max_concurrency=4)
        s3.upload_file(source, "boto", "big", Config=settings)
        assert s3.head_object(Bucket="boto", Key="big")["ContentLength"] == size
        s3.download_file("boto", "big", target, Config=settings)
        with open(target, "rb") as file:
            while piece := file.read(MIB):
                got.update(piece)
    assert got.digest() == wanted.digest()


def clean_up(s3):
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket="boto"):
        s3.delete_objects(Bucket="boto", Delete={"Objects": [{"Key": o["Key"]} for o in page["Contents"]], "Quiet": True})
    s3.delete_bucket(Bucket="boto")
    refused("NoSuchBucket", s3.delete_bucket, Bucket="boto")


def main():
    s3 = client()
    for step in [buckets, objects, metadata, conditions, copies, copies_in_regions, multipart, listings, presigned, encryption, versions, forms]:
        print(step.__name__, flush=True)
        step(s3)
    strangers()
    refused("BucketNotEmpty", s3.delete_bucket, Bucket="boto")
    big(s3, int(os.environ["BIG"]))
    clean_up(s3)
    print("done")


if __name__ == "__main__":
    sys.exit(main())
