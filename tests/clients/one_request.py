"""One signed S3 request (SigV4), with nothing but Python. Prints what came back as JSON.

Usage: one_request.py HOST:PORT CREDENTIAL REGION METHOD PATH [BODY]
"""

import datetime
import hashlib
import hmac
import http.client
import json
import sys

host, credential, region, method, path = sys.argv[1:6]
body = "".join(sys.argv[6:7]).encode()
with open(credential, encoding="ascii") as file:
    lines = dict(line.strip().split("=", 1) for line in file if "=" in line)
now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
digest = hashlib.sha256(body).hexdigest()
names = "host;x-amz-content-sha256;x-amz-date"
canonical = f"{method}\n{path}\n\nhost:{host}\nx-amz-content-sha256:{digest}\nx-amz-date:{now}\n\n{names}\n{digest}"
scope = f"{now[:8]}/{region}/s3/aws4_request"
text = f"AWS4-HMAC-SHA256\n{now}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
key = ("AWS4" + lines["secret_access_key"]).encode()
for part in (now[:8], region, "s3", "aws4_request"):
    key = hmac.new(key, part.encode(), hashlib.sha256).digest()
signature = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
connection = http.client.HTTPConnection(host)
connection.request(method, path, body=body, headers={
    "Host": host,
    "x-amz-date": now,
    "x-amz-content-sha256": digest,
    "Authorization": f"AWS4-HMAC-SHA256 Credential={lines['access_key_id']}/{scope}, SignedHeaders={names}, "
                     f"Signature={signature}",
})
answer = connection.getresponse()
said = answer.read().decode()
print(json.dumps({
    "status": answer.status,
    "code": said.partition("<Code>")[2].partition("</Code>")[0],
    "region": answer.getheader("x-amz-bucket-region") or "",
    "location": answer.getheader("location") or "",
    "body": said,
}))
