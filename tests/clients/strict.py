"""The server's certificate under the checks that Python makes from 3.13 on."""

import base64
import json
import socket
import ssl
import subprocess

text = subprocess.run(
    ["kubectl", "--kubeconfig", "kubeconfig", "config", "view", "--raw", "-o", "json"], capture_output=True, check=True
).stdout
cluster = json.loads(text)["clusters"][0]["cluster"]
authority = base64.b64decode(cluster["certificate-authority-data"]).decode()
context = ssl.create_default_context(cadata=authority)
context.verify_flags |= ssl.VERIFY_X509_STRICT | ssl.VERIFY_X509_PARTIAL_CHAIN
host, port = cluster["server"].removeprefix("https://").rsplit(":", 1)
with socket.create_connection((host, int(port))) as plain, context.wrap_socket(plain, server_hostname=host) as secure:
    print("strict X.509:", secure.version())
