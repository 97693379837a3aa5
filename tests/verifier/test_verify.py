"""Holds verify.py against tokens with one mistake each: a verifier that refuses nothing proves nothing."""

import base64
import hashlib
import io
import json
import unittest
from unittest import mock

from jwcrypto import jwk, jws

import verify

NOW = 1_795_000_000
URL = "https://acme.okta.com/oauth2/v1/token"
RSA = jwk.JWK.generate(kty="RSA", size=2048)
OTHER_RSA = jwk.JWK.generate(kty="RSA", size=2048)
P256 = jwk.JWK.generate(kty="EC", crv="P-256")
OTHER_P256 = jwk.JWK.generate(kty="EC", crv="P-256")
P384 = jwk.JWK.generate(kty="EC", crv="P-384")
P521 = jwk.JWK.generate(kty="EC", crv="P-521")


def sign(header, claims, key):
    token = jws.JWS(json.dumps(claims).encode())
    with mock.patch.object(jws, "default_allowed_algs", jws.default_allowed_algs + ["HS256"]):
        token.add_signature(key, alg=header["alg"], protected=json.dumps(header))
    return token.serialize(compact=True)


def public(key):
    return json.loads(key.export_public())


def verdict(*items):
    """The problems of each item, as main tells them."""
    out = io.StringIO()
    code = verify.main([json.dumps(item) for item in items], out)
    lines = [json.loads(line) for line in out.getvalue().splitlines()]
    problems = [line["problems"] for line in lines[:-1]]
    assert code == (1 if any(problems) else 0) and lines[-1]["bad"] == sum(map(bool, problems))
    return problems


def assertion(key=RSA, sign_with=None, header=(), claims=(), without=(), **expected):
    alg = {"RSA": "RS256", "P-256": "ES256", "P-384": "ES384", "P-521": "ES512"}
    alg = alg[public(key).get("crv", "RSA")]
    head = {"alg": alg, "typ": "JWT", "kid": "k1"} | dict(header)
    body = {"iss": "0oa1", "sub": "0oa1", "aud": URL, "iat": NOW, "exp": NOW + 300, "jti": "a" * 32} | dict(claims)
    for name in without:
        head.pop(name, None)
        body.pop(name, None)
    item = {"kind": "assertion", "token": sign(head, body, sign_with or key), "key": public(key)}
    return item | {"kid": "k1", "client_id": "0oa1", "audience": URL, "now": NOW} | expected


def proof(key=P256, sign_with=None, header=(), claims=(), without=(), **expected):
    head = {"typ": "dpop+jwt", "alg": "ES256" if key is not RSA else "RS256", "jwk": public(key)} | dict(header)
    body = {"jti": "b" * 32, "htm": "POST", "htu": URL, "iat": NOW} | dict(claims)
    for name in without:
        head.pop(name, None)
        body.pop(name, None)
    item = {"kind": "proof", "token": sign(head, body, sign_with or key), "method": "POST", "url": URL, "now": NOW}
    return item | {"access_token": None} | expected


def hashed(text):
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()


def bound(key):
    part = lambda value: base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()
    return ".".join([part({"alg": "RS256"}), part({"cnf": {"jkt": key.thumbprint()}}), "c2ln"])


class Assertions(unittest.TestCase):
    def test_good_ones(self):
        pem = RSA.export_to_pem().decode()
        for item in [assertion(), assertion(P256), assertion(P384), assertion(key=RSA, header={"alg": "RS512"})]:
            self.assertEqual(verdict(item), [[]])
        self.assertEqual(verdict(assertion() | {"key": pem}), [[]])

    def test_bad_ones(self):
        good = assertion()
        head, body, signature = good["token"].split(".")
        for item, word in [
            (assertion(sign_with=OTHER_RSA), "signature"),
            (good | {"token": f"{head}.{body}.{signature[:-4]}AAAA"}, "signature"),
            (good | {"token": f"{head}.{body}"}, "three parts"),
            (good | {"token": f"{head}.{body}="}, "three parts"),
            (good | {"token": f"{head}.!!!.{signature}"}, "part 1"),
            (assertion(P521), "does not take"),
            (assertion(header={"kid": "k2"}), "kid"),
            (assertion(without=["kid"]), "header members"),
            (assertion(header={"typ": "dpop+jwt"}), "typ"),
            (assertion(header={"jku": "https://example.com"}), "header members"),
            (assertion(claims={"iss": "0oa2"}), "client id"),
            (assertion(claims={"iss": "0oa2", "sub": "0oa2"}), "client id"),
            (assertion(claims={"aud": "https://acme.okta.com"}), "aud"),
            (assertion(claims={"aud": [URL]}), "aud"),
            (assertion(claims={"iat": NOW + 60}), "future"),
            (assertion(claims={"iat": NOW - 600, "exp": NOW - 1}), "expired"),
            (assertion(claims={"exp": NOW + 3601}), "lives"),
            (assertion(claims={"exp": f"{NOW + 300}"}), "whole number"),
            (assertion(claims={"iat": NOW + 0.5}), "whole number"),
            (assertion(without=["jti"]), "claims"),
            (assertion(claims={"jti": "1"}), "jti"),
            (assertion(claims={"scope": "okta.logs.read"}), "claims"),
            (assertion(key=P256, header={"alg": "RS256"}, sign_with=RSA), "alg RS256"),
        ]:
            with self.subTest(word):
                (problems,) = verdict(item)
                self.assertEqual(len(problems), 1)
                self.assertIn(word, problems[0])

    def test_a_jti_is_for_one_time(self):
        self.assertIn("used before", verdict(assertion(), assertion())[1][0])

    def test_no_secret_is_told(self):
        (problems,) = verdict(assertion(sign_with=OTHER_RSA))
        self.assertNotIn(assertion()["token"][:40], problems[0])


class Proofs(unittest.TestCase):
    def test_good_ones(self):
        token = bound(P256)
        for item in [
            proof(),
            proof(RSA),
            proof(nonce=None),
            proof(claims={"nonce": "n1"}, nonce="n1"),
            proof(claims={"nonce": "n1"}),
            proof(issued=token),
            proof(claims={"ath": hashed(token)}, access_token=token, url=URL + "?after=1#x"),
            proof(claims={"ath": hashed("opaque")}, access_token="opaque"),
        ]:
            self.assertEqual(verdict(item), [[]])

    def test_bad_ones(self):
        good = proof()
        head, body, signature = good["token"].split(".")
        token = bound(P256)
        for item, word in [
            (proof(sign_with=OTHER_P256), "signature"),
            (good | {"token": f"{head}.{body}.{signature[:-4]}AAAA"}, "signature"),
            (proof(header={"jwk": json.loads(P256.export_private())}), "more than a public key"),
            (proof(header={"alg": "HS256"}, sign_with=jwk.JWK.generate(kty="oct", size=256)), "alg HS256"),
            (proof(header={"jwk": {"kty": "oct", "k": "AAAA"}}), "kty oct"),
            (proof(without=["jwk"]), "header members"),
            (proof(header={"typ": "JWT"}), "typ"),
            (proof(claims={"htm": "GET"}), "htm"),
            (proof(claims={"htu": URL + "?a=1"}), "query"),
            (proof(claims={"htu": URL + "#a"}), "query or fragment"),
            (proof(claims={"htu": "https://acme.okta.com/api/v1/logs"}), "htu"),
            (proof(claims={"htu": URL.replace("https", "http")}), "htu"),
            (proof(without=["htu"]), "htu"),
            (proof(claims={"iat": NOW - 301}), "301 s ago"),
            (proof(claims={"iat": NOW + 60}), "s ago"),
            (proof(without=["iat"]), "iat"),
            (proof(nonce="n1"), "nonce"),
            (proof(claims={"nonce": "n0"}, nonce="n1"), "nonce"),
            (proof(claims={"nonce": "n0"}, nonce=None), "nonce"),
            (proof(claims={"ath": hashed(token)}), "ath without"),
            (proof(access_token=token), "ath is not"),
            (proof(claims={"ath": hashed("other")}, access_token=token), "ath is not"),
            (proof(claims={"ath": hashed(bound(OTHER_P256))}, access_token=bound(OTHER_P256)), "another key"),
            (proof(issued=bound(OTHER_P256)), "another key"),
            (proof(without=["jti"]), "jti"),
        ]:
            with self.subTest(word):
                (problems,) = verdict(item)
                self.assertEqual(len(problems), 1)
                self.assertIn(word, problems[0])

    def test_a_jti_is_for_one_time_over_all_kinds(self):
        twice = verdict(assertion(claims={"jti": "c" * 32}), proof(claims={"jti": "c" * 32}))
        self.assertEqual([len(problems) for problems in twice], [0, 1])


if __name__ == "__main__":
    unittest.main()
