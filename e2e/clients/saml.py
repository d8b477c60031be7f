"""A service provider on pysaml2, written as its documentation says: metadata of
ours, checked by its signature; signed requests by POST; answers by POST of which
response and assertion must both be signed, checked by xmlsec1."""
import base64
import html
import json
import os
import re
import urllib.parse
from http.server import BaseHTTPRequestHandler, HTTPServer

from saml2 import BINDING_HTTP_POST
from saml2.client import Saml2Client
from saml2.config import SPConfig
from saml2.metadata import create_metadata_string
from saml2.saml import NAMEID_FORMAT_PERSISTENT, AuthnContextClassRef
from saml2.samlp import RequestedAuthnContext
from saml2.xmldsig import DIGEST_SHA256, SIG_RSA_SHA256

given = json.loads(os.environ["RELYING_PARTY"])
config = SPConfig().load({
    "entityid": given["base"] + "/metadata",
    "xmlsec_binary": given["xmlsec"],
    "key_file": given["key"],
    "cert_file": given["certificate"],
    "metadata": {"remote": [{
        "url": given["idp"]["entity_id"],
        "cert": given["idp"]["certificate"],
        "node_name": "urn:oasis:names:tc:SAML:2.0:metadata:EntityDescriptor",
    }]},
    "service": {"sp": {
        "endpoints": {"assertion_consumer_service": [(given["base"] + "/acs", BINDING_HTTP_POST)]},
        "name_id_format": [NAMEID_FORMAT_PERSISTENT],
        "authn_requests_signed": True,
        "want_response_signed": True,
        "want_assertions_signed": True,
        "allow_unsolicited": False,
    }},
})
client = Saml2Client(config)
outstanding = {}  # requests not answered yet, and how to spoil their answers

ASSERTION = re.compile(r"<saml:Assertion.*</saml:Assertion>", re.S)
SIGNATURE = re.compile(r"<ds:Signature[ >].*?</ds:Signature>", re.S)


def unsigned(xml):
    return SIGNATURE.sub("", xml)


def forge(xml):
    return unsigned(xml).replace('ID="_', 'ID="_0', 1).replace("anna", "mallory")


# What somebody in between might do to an answer.
SPOIL = {
    "name": lambda xml: xml.replace("anna", "mallory"),
    "unsigned": unsigned,
    "response-unsigned": lambda xml: SIGNATURE.sub("", xml, count=1),
    "assertion-unsigned": lambda xml: ASSERTION.sub(lambda m: unsigned(m[0]), xml),
    "wrapped": lambda xml: ASSERTION.sub(lambda m: forge(m[0]) + m[0], xml),
    "audience": lambda xml: re.sub("<saml:Audience>[^<]*", "<saml:Audience>https://other.example.com", xml),
}


def login(query, _):
    """Asks who somebody is, in a form that posts itself."""
    request, info = client.prepare_for_authenticate(
        entityid=given["idp"]["entity_id"], relay_state=query.get("spoil", [""])[0],
        binding=BINDING_HTTP_POST, response_binding=BINDING_HTTP_POST, nameid_format=NAMEID_FORMAT_PERSISTENT,
        requested_authn_context=RequestedAuthnContext(
            authn_context_class_ref=[AuthnContextClassRef(text="https://refeds.org/profile/mfa")], comparison="exact"),
        sign=True, sigalg=SIG_RSA_SHA256, digest_alg=DIGEST_SHA256)
    outstanding[request] = "/"
    return info["data"]


def acs(_, form):
    """Takes an answer, as it came or spoilt."""
    how = form.get("RelayState", [""])[0]
    xml = base64.b64decode(form["SAMLResponse"][0]).decode()
    changed = SPOIL[how](xml) if how in SPOIL else xml
    if how in SPOIL and changed == xml:
        raise ValueError("the test changed nothing")
    answer = base64.b64encode(changed.encode()).decode()
    response = client.parse_authn_request_response(answer, BINDING_HTTP_POST, outstanding)
    del outstanding[response.in_response_to]
    if how == "replay":
        response = client.parse_authn_request_response(answer, BINDING_HTTP_POST, outstanding)
    name = response.get_subject()
    return page("told", {
        "name_id": name.text,
        "format": name.format,
        "issuer": response.issuer(),
        "session": response.session_info()["session_index"],
        "context": response.authn_info()[0][0],
        "attributes": response.ava,
        "response": xml,
    })


def metadata(_, __):
    return create_metadata_string(None, config=config).decode()


def page(name, what):
    text = html.escape(json.dumps(what, indent="\t"), quote=False)
    return f'<!doctype html><title>{name}</title><pre id="{name}">{text}</pre>'


PATHS = {"/": login, "/acs": acs, "/metadata": metadata, "/ready": lambda *_: "ready"}


class Site(BaseHTTPRequestHandler):
    def do_GET(self, form=None):
        url = urllib.parse.urlsplit(self.path)
        handler = PATHS.get(url.path)
        if handler is None:
            self.send_error(404)
            return
        try:
            body = handler(urllib.parse.parse_qs(url.query), form)
        except Exception as e:  # pylint: disable=broad-except
            body = page("refused", {"code": type(e).__name__, "message": str(e)})
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.end_headers()
        self.wfile.write(body.encode())

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.do_GET(urllib.parse.parse_qs(body))


base = urllib.parse.urlsplit(given["base"])
HTTPServer((base.hostname, base.port), Site).serve_forever()
