"""A Terraform provider that has a schema and does nothing: with it `terraform validate` and `terraform test` with mocks work where
the real provider cannot be had. It speaks plugin protocol 6, and only those calls that these two commands make."""

import base64
import datetime
import json
import os
import sys
import tempfile
from concurrent import futures
from pathlib import Path

import grpc
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from .protobuf import message, number

NESTING = {"single": 1, "one": 2, "list": 2, "set": 3}


def attribute(name: str, of: dict) -> bytes:
    flags = ((4, "required"), (5, "optional"), (6, "computed"))
    told = b"".join(number(tag, 1) for tag, flag in flags if of[flag])
    return message(2, message(1, name.encode()), message(2, json.dumps(of["type"]).encode()), told)


def nested(name: str, of: dict) -> bytes:
    at_least = number(4, 1) if of["required"] and of["mode"] != "single" else b""
    at_most = number(5, 1) if of["mode"] == "one" else b""
    return message(3, message(1, name.encode()), block(2, of["block"]), number(3, NESTING[of["mode"]]), at_least, at_most)


def block(tag: int, of: dict) -> bytes:
    attributes = [attribute(*pair) for pair in of["attributes"].items()]
    return message(tag, *attributes, *(nested(*pair) for pair in of["blocks"].items()))


def answer(schema: dict) -> bytes:
    """`GetProviderSchema.Response`."""
    maps = [(2, schema["resource"]), (3, schema["data"])]
    entries = [message(tag, message(1, name.encode()), message(2, block(2, of))) for tag, all in maps for name, of in all.items()]
    return message(1, block(2, schema["provider"])) + b"".join(entries)


class Calls(grpc.GenericRpcHandler):
    """Every message is taken as bytes, and an empty one is an answer without objections."""

    def __init__(self, schema: dict):
        self.schema = answer(schema)

    def service(self, details):
        call = details.method.rsplit("/", 1)[1]
        if call == "GetProviderSchema":
            return grpc.unary_unary_rpc_method_handler(lambda _, __: self.schema)
        if call.startswith("Validate") or call == "ConfigureProvider":
            return grpc.unary_unary_rpc_method_handler(lambda _, __: b"")
        if call in ("Shutdown", "StopProvider"):
            os._exit(0)
        return None


def certificate() -> tuple[bytes, bytes, bytes]:
    """Key and certificate as PEM, and the certificate as DER: Terraform asks for TLS even here."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.timezone.utc)
    uses = x509.KeyUsage(True, False, True, False, True, True, False, False, False)
    built = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(uses, critical=False)
        .sign(key, hashes.SHA256())
    )
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return secret, built.public_bytes(serialization.Encoding.PEM), built.public_bytes(serialization.Encoding.DER)


def serve(schema: Path):
    if "TF_PLUGIN_MAGIC_COOKIE" not in os.environ:
        sys.exit("this is a plugin of Terraform")
    server = grpc.server(futures.ThreadPoolExecutor(4), options=[("grpc.max_send_message_length", -1)])
    server.add_generic_rpc_handlers((Calls(json.loads(schema.read_text())),))
    secret, shown, bare = certificate()
    socket = Path(tempfile.mkdtemp(prefix="schema-provider-")) / "socket"
    server.add_secure_port(f"unix:{socket}", grpc.ssl_server_credentials([(secret, shown)]))
    server.start()
    print(f"1|6|unix|{socket}|grpc|{base64.b64encode(bare).decode().rstrip('=')}", flush=True)
    server.wait_for_termination()
