//! Okta's refusals in its own words: status, `error` and `error_description`, from its catalogue of OAuth error codes.

/// One refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::simulator) struct Refusal {
    pub(in crate::simulator) status: u16,
    pub(in crate::simulator) error: &'static str,
    pub(in crate::simulator) description: &'static str,
}

const fn client(description: &'static str) -> Refusal {
    Refusal { status: 401, error: "invalid_client", description }
}

const fn request(description: &'static str) -> Refusal {
    Refusal { status: 400, error: "invalid_request", description }
}

const fn scope(description: &'static str) -> Refusal {
    Refusal { status: 400, error: "invalid_scope", description }
}

const fn proof(description: &'static str) -> Refusal {
    Refusal { status: 400, error: "invalid_dpop_proof", description }
}

const fn token(description: &'static str) -> Refusal {
    Refusal { status: 401, error: "invalid_token", description }
}

// The request for a token. Where the catalogue has a place for a list (`[en]`), the list of this org stands here.
pub(super) const NO_GRANT_TYPE: Refusal =
    request("The token request must specify a 'grant_type'. Valid values: [client_credentials]");
/// RFC 6749, section 3.2, forbids it; Okta's words for it were not seen.
pub(super) const REPEATED_PARAMETER: Refusal = request("A parameter of the request is there more than once.");
pub(super) const UNSUPPORTED_GRANT_TYPE: Refusal = Refusal {
    status: 400,
    error: "unsupported_grant_type",
    description: "The authorization grant type is not supported by the authorization server. \
                  Configured grant types: [client_credentials].",
};
pub(super) const NO_CREDENTIALS: Refusal = client("No client credentials found.");
pub(super) const NOT_PRIVATE_KEY_JWT: Refusal = client(
    "Client Credentials requests to the Org Authorization Server must use the private_key_jwt \
     token_endpoint_auth_method.",
);
pub(super) const MANY_CREDENTIALS: Refusal = Refusal {
    status: 401,
    ..request(
        "Cannot supply multiple client credentials. Use one of the following: credentials in the Authorization header, \
         credentials in the post body, or a client_assertion in the post body.",
    )
};
pub(super) const ASSERTION_TYPE: Refusal = request("The client_assertion_type is invalid.");
pub(super) const CLIENT_ID: Refusal = client("Invalid value for 'client_id' parameter.");
/// Also for an app that is not active: Okta's words for that were not seen.
pub(super) const CLIENT_INACTIVE: Refusal =
    client("Client authentication failed. Either the client or the client credentials are invalid.");

// The client assertion.
pub(super) const ASSERTION_PARSING: Refusal = client("The parsing of the client_assertion failed.");
pub(super) const ASSERTION_ALGORITHM: Refusal = client("The client_assertion JWT signature algorithm is invalid.");
pub(super) const ASSERTION_ISSUER: Refusal = client("The issuer claim for client_assertion is not a valid client_id.");
pub(super) const ASSERTION_SUBJECT: Refusal =
    client("The subject claim for client_assertion is not a valid client_id.");
pub(super) const NO_KEYS: Refusal =
    client("The client does not have a JWKSet configured, but the client_assertion requires one.");
pub(super) const ASSERTION_KEY_ID: Refusal = client("The client_assertion JWT kid is invalid.");
pub(super) const ASSERTION_SIGNATURE: Refusal = client("The client_assertion signature is invalid.");
pub(super) const ASSERTION_AUDIENCE: Refusal =
    client("The audience claim for client_assertion must be the endpoint invoked for the request.");
pub(super) const ASSERTION_NO_EXPIRY: Refusal =
    client("The client_assertion must contain the 'exp' claim as seconds since epoch.");
pub(super) const ASSERTION_EXPIRED: Refusal = client("The client_assertion token is expired.");
pub(super) const ASSERTION_EXPIRES_LATE: Refusal =
    client("The client_assertion token has an expiration too far into the future.");
pub(super) const ASSERTION_FROM_THE_FUTURE: Refusal =
    client("The client_assertion token must be issued before the current time.");
pub(super) const ASSERTION_USED: Refusal = client("The client_assertion token has already been used.");

// The scope.
pub(super) const NO_SCOPE: Refusal =
    scope("The authorization server resource does not have any configured default scopes, 'scope' must be provided.");
pub(super) const OPENID_SCOPE: Refusal = scope("Cannot request 'openid' scopes using client credentials.");
pub(super) const SELF_SCOPE: Refusal = Refusal {
    status: 400,
    error: "client_credentials_self_scope_requested",
    description: "The 'client_credentials' grant type may not request .self scopes.",
};
pub(super) const UNKNOWN_SCOPE: Refusal =
    scope("One or more scopes are not configured for the authorization server resource.");
pub(super) const SCOPE_NOT_GRANTED: Refusal =
    Refusal { status: 400, error: "consent_required", description: "You are not allowed any of the requested scopes." };

// The proof.
pub(super) const NO_PROOF: Refusal = proof("The DPoP proof JWT header is missing.");
pub(super) const MANY_PROOFS: Refusal = proof("Multiple DPoP proof JWT headers are not allowed.");
pub(super) const PROOF_PARSING: Refusal = proof("The DPoP proof JWT cannot be parsed.");
pub(super) const PROOF_TYPE: Refusal = proof("'typ' must be 'dpop+jwt' in the DPoP proof JWT.");
pub(super) const PROOF_ALGORITHM: Refusal = proof("The DPoP proof JWT signature algorithm is invalid.");
/// Also for a `jwk` that is no public key, or has a private member: Okta's words for that were not seen.
pub(super) const PROOF_INVALID: Refusal = proof("The DPoP proof JWT is invalid.");
pub(super) const PROOF_SIGNATURE: Refusal = proof("The DPoP proof JWT signature is invalid.");
pub(super) const PROOF_METHOD: Refusal = proof("'htm' claim in the DPoP proof JWT is invalid.");
pub(super) const PROOF_URL: Refusal = proof("'htu' claim in the DPoP proof JWT is invalid.");
pub(super) const PROOF_ISSUED_AT: Refusal = proof("'iat' claim in the DPoP proof JWT is invalid.");
pub(super) const PROOF_FROM_THE_FUTURE: Refusal = proof("The DPoP proof JWT is issued in the future.");
pub(super) const PROOF_OLD: Refusal = proof("The DPoP proof JWT is issued more than five minutes in the past.");
pub(super) const PROOF_EXPIRED: Refusal = proof("The DPoP proof JWT is expired.");
pub(super) const PROOF_ID: Refusal = proof("'jti' claim in the DPoP proof JWT is invalid.");
pub(super) const PROOF_USED: Refusal = proof("The DPoP proof JWT has already been used.");
pub(super) const PROOF_TOKEN_HASH: Refusal =
    proof("'ath' claim in the DPoP proof does not match the presented access_token.");
pub(super) const PROOF_BINDING: Refusal = proof("The access_token is not bound to the provided DPoP proof.");
pub(super) const PROOF_NONCE: Refusal =
    Refusal { status: 400, error: "use_dpop_nonce", description: "Authorization server requires nonce in DPoP proof." };
/// At the resource, in the words of RFC 9449 section 9: Okta's resource server asks for none.
pub(super) const PROOF_NONCE_AT_RESOURCE: Refusal =
    Refusal { status: 401, error: "use_dpop_nonce", description: "Resource server requires nonce in DPoP proof" };

// The access token at the resource.
pub(super) const TOKEN_INVALID: Refusal = token("The access token is invalid.");
pub(super) const TOKEN_EXPIRED: Refusal = token("The token has expired.");
pub(super) const TOKEN_REVOKED: Refusal = token("The access token has been revoked.");
pub(super) const TOKEN_NOT_BOUND: Refusal = token("The presented access_token is not DPoP bound.");
pub(super) const TOKEN_NEEDS_PROOF: Refusal = request("The resource request requires a DPoP proof.");
pub(super) const TOKEN_NEEDS_SCHEME: Refusal =
    request("The resource request must use the DPoP authentication scheme when using a DPoP bound token.");
pub(super) const TOKEN_SCOPE: Refusal = Refusal {
    status: 403,
    error: "insufficient_scope",
    description: "The access token provided does not contain the required scopes.",
};

pub(super) const SERVER_ERROR: Refusal =
    Refusal { status: 500, error: "server_error", description: "Failed to create the access_token." };
