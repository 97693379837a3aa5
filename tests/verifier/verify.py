"""Verifies client assertions and DPoP proofs with jwcrypto, which shares no line with the program or the simulator.

Reads JSON objects, one a line, in the order in which they were sent:

    {"kind": "assertion", "token": JWT, "key": public JWK or PEM, "kid": text, "client_id": text, "audience": URL, "now": s}
    {"kind": "proof", "token": JWT, "method": text, "url": text, "now": s,
     "nonce": text, or null where there may be none; left out where either is right,
     "access_token": the token that it accompanies, or null,
     "issued": the token that the endpoint answered with, where it is a JWT that names its key}

`now` is the server's own time in Unix seconds. Writes one line for each, {"problems": [...]}, and a summary; ends with 1
where anything has a problem. What is demanded is RFC 7523 and Okta's reference for assertions, RFC 9449 (4.2, 4.3) for
proofs, RFC 7638 for thumbprints. jti must be unique over the whole input.
"""

import base64
import hashlib
import json
import sys
from urllib.parse import urlsplit

from jwcrypto import jwk, jws

# Okta: at most an hour ahead; a proof at most five minutes old.
LONGEST_ASSERTION = 3600
OLDEST_PROOF = 300
# A second of rounding, and a little for the way.
CLOCKS = 5

ALGORITHMS = {
    ("RSA", None): {"RS256", "RS384", "RS512"},
    ("EC", "P-256"): {"ES256"},
    ("EC", "P-384"): {"ES384"},
}
PUBLIC_MEMBERS = {"RSA": {"kty", "n", "e"}, "EC": {"kty", "crv", "x", "y"}}


class Problem(Exception):
    """What is wrong with a token. Never holds the token."""


def demand(holds, text):
    if not holds:
        raise Problem(text)


def part_of(token, index):
    """One part of a compact JWT as a JSON object without repeated members."""

    def once(pairs):
        names = [name for name, _ in pairs]
        demand(len(names) == len(set(names)), "a member stands twice")
        return dict(pairs)

    parts = token.split(".")
    demand(len(parts) == 3, "not three parts")
    demand("=" not in token, "base64url with padding")
    try:
        decoded = json.loads(base64.urlsafe_b64decode(parts[index] + "=" * (-len(parts[index]) % 4)), object_pairs_hook=once)
    except ValueError as error:
        raise Problem(f"part {index} is no base64url of JSON: {type(error).__name__}") from None
    demand(isinstance(decoded, dict), f"part {index} is no object")
    return decoded


def verify_signature(token, key, algorithm):
    public = json.loads(key.export_public())
    fitting = ALGORITHMS.get((public["kty"], public.get("crv")))
    demand(fitting is not None, f"a key that Okta does not take: {public['kty']} {public.get('crv')}")
    demand(algorithm in fitting, f"alg {algorithm} with a key of {public['kty']} {public.get('crv')}")
    signed = jws.JWS()
    signed.allowed_algs = [algorithm]
    try:
        signed.deserialize(token, key)
    except Exception as error:  # jwcrypto raises several kinds; each of them is a refusal.
        raise Problem(f"the signature is not by this key: {type(error).__name__}") from None


def whole_seconds(claims, name):
    value = claims.get(name)
    demand(isinstance(value, int) and not isinstance(value, bool), f"{name} is no whole number")
    return value


def fresh(claims, seen):
    jti = claims.get("jti")
    demand(isinstance(jti, str) and len(jti) >= 16, "jti is too short to be one of its kind")
    demand(jti not in seen, "jti was used before")
    seen.add(jti)


def verify_assertion(item, seen):
    token = item["token"]
    header, claims = part_of(token, 0), part_of(token, 1)
    key = item["key"]
    key = jwk.JWK.from_pem(key.encode()) if isinstance(key, str) else jwk.JWK(**key)
    demand(set(header) == {"alg", "typ", "kid"}, f"header members {sorted(header)}")
    demand(header["typ"] == "JWT", f"typ {header['typ']}")
    demand(header["kid"] == item["kid"], f"kid {header['kid']} instead of {item['kid']}")
    demand(set(claims) == {"iss", "sub", "aud", "iat", "exp", "jti"}, f"claims {sorted(claims)}")
    demand(claims["iss"] == claims["sub"] == item["client_id"], "iss and sub are not the client id")
    demand(claims["aud"] == item["audience"], f"aud {claims['aud']} instead of {item['audience']}")
    issued, expires = whole_seconds(claims, "iat"), whole_seconds(claims, "exp")
    demand(issued <= item["now"] + CLOCKS, f"issued {issued - item['now']} s in the future")
    demand(expires > item["now"], "expired")
    demand(0 < expires - issued <= LONGEST_ASSERTION, f"lives {expires - issued} s")
    verify_signature(token, key, header["alg"])
    fresh(claims, seen)
    return key.thumbprint()


def verify_proof(item, seen):
    token = item["token"]
    header, claims = part_of(token, 0), part_of(token, 1)
    demand(header.get("typ") == "dpop+jwt", f"typ {header.get('typ')}")
    demand(set(header) == {"typ", "alg", "jwk"}, f"header members {sorted(header)}")
    public = header["jwk"]
    members = PUBLIC_MEMBERS.get(public.get("kty"))
    demand(members is not None, f"kty {public.get('kty')}")
    demand(members <= set(public), "the jwk lacks members")
    demand(set(public) <= members | {"alg", "use", "kid"}, f"the jwk has more than a public key: {sorted(public)}")
    key = jwk.JWK(**public)
    demand(not key.has_private, "the jwk is a private key")
    verify_signature(token, key, header["alg"])
    known = {"jti", "htm", "htu", "iat", "nonce", "ath"}
    demand(set(claims) <= known, f"claims {sorted(claims)}")
    demand(claims.get("htm") == item["method"], f"htm {claims.get('htm')}")
    asked, told = urlsplit(item["url"]), urlsplit(claims.get("htu", ""))
    demand("?" not in claims.get("htu", "") and "#" not in claims.get("htu", ""), "htu has a query or fragment")
    demand(
        (told.scheme, told.netloc, told.path) == (asked.scheme, asked.netloc, asked.path),
        f"htu {claims.get('htu')} for a request of {asked.path}",
    )
    age = item["now"] - whole_seconds(claims, "iat")
    demand(-CLOCKS <= age <= OLDEST_PROOF, f"issued {age} s ago")
    if "nonce" in item:
        demand(claims.get("nonce") == item["nonce"], "not the nonce that the server gave last")
    access_token = item.get("access_token")
    if access_token is None:
        demand("ath" not in claims, "ath without a token")
    else:
        digest = base64.urlsafe_b64encode(hashlib.sha256(access_token.encode()).digest()).rstrip(b"=").decode()
        demand(claims.get("ath") == digest, "ath is not the token's hash")
    for bound in filter(None, (access_token, item.get("issued"))):
        thumbprint = bound_to(bound)
        demand(thumbprint in (None, key.thumbprint()), "the token is bound to another key")
    fresh(claims, seen)
    return key.thumbprint()


def bound_to(access_token):
    """`cnf.jkt` of an access token; None where it is no JWT or names no key (those of a recording are blanked)."""
    try:
        return part_of(access_token, 1).get("cnf", {}).get("jkt")
    except Problem:
        return None


VERIFIERS = {"assertion": verify_assertion, "proof": verify_proof}


def main(lines, out):
    seen = set()
    counts = {kind: 0 for kind in VERIFIERS}
    keys = {kind: [] for kind in VERIFIERS}
    bad = 0
    for line in filter(str.strip, lines):
        item = json.loads(line)
        kind = item["kind"]
        problems = []
        try:
            thumbprint = VERIFIERS[kind](item, seen)
            if thumbprint not in keys[kind]:
                keys[kind].append(thumbprint)
        except Problem as problem:
            problems.append(str(problem))
        counts[kind] += 1
        bad += bool(problems)
        print(json.dumps({"problems": problems}), file=out)
    summary = {kind + "s": {"count": counts[kind], "keys": len(keys[kind])} for kind in VERIFIERS}
    print(json.dumps(summary | {"bad": bad}), file=out)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.stdin, sys.stdout))
