//! `POST /oauth2/v1/token`: the form, the client's credentials, the proof, the scope, and the token.

use serde_json::json;
use url::form_urlencoded;

use super::super::org::Request;
use super::super::rate_limit::Admission;
use super::config::DpopMode;
use super::refusal::{self, Refusal};
use super::server::{OauthServer, OrgTime};
use super::token::Grant;
use super::{assertion, proof};

/// The token endpoint of the org's own authorization server.
pub(in crate::simulator) const TOKEN_PATH: &str = "/oauth2/v1/token";

const GRANT_TYPE: &str = "client_credentials";
const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// The endpoint's answer, before it gets the headers that all answers have.
pub(in crate::simulator) struct TokenAnswer {
    pub(in crate::simulator) status: u16,
    pub(in crate::simulator) body: Vec<u8>,
    /// The `dpop-nonce` header.
    pub(in crate::simulator) nonce: Option<String>,
    /// `error` and `error_description`, if it is no token.
    pub(in crate::simulator) error: Option<(String, String)>,
}

/// The form's parameters; those that the endpoint does not have are left out.
#[derive(Default)]
struct Form {
    grant_type: Option<String>,
    scope: Option<String>,
    client_id: Option<String>,
    client_secret: Option<String>,
    client_assertion_type: Option<String>,
    client_assertion: Option<String>,
}

impl Form {
    fn read(request: &Request) -> Result<Self, Refusal> {
        let mut form = Self::default();
        // A body of another type is not read, as if there were none.
        let content_type = request.content_type.as_deref().unwrap_or_default();
        let media_type = content_type.split(';').next().unwrap_or_default().trim();
        if !media_type.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
            return Ok(form);
        }
        for (name, value) in form_urlencoded::parse(&request.body) {
            let place = match name.as_ref() {
                "grant_type" => &mut form.grant_type,
                "scope" => &mut form.scope,
                "client_id" => &mut form.client_id,
                "client_secret" => &mut form.client_secret,
                "client_assertion_type" => &mut form.client_assertion_type,
                "client_assertion" => &mut form.client_assertion,
                _ => continue,
            };
            if place.replace(value.into_owned()).is_some() {
                return Err(refusal::REPEATED_PARAMETER);
            }
        }
        Ok(form)
    }
}

impl OauthServer {
    /// Counts a request to the endpoint in its own bucket.
    pub(in crate::simulator) fn admit(&mut self, time: OrgTime) -> Admission {
        self.limiter.admit(time.machine)
    }

    /// Answers a request that was let through; `origin` is the org's, as the client knows it.
    pub(in crate::simulator) fn answer(&mut self, request: &Request, origin: &str, time: OrgTime) -> TokenAnswer {
        // Recorded answers to a proof have the nonce, whatever they are.
        let looks_at_proofs = self.app.dpop != DpopMode::Off && !request.proofs.is_empty();
        let nonce = looks_at_proofs.then(|| self.token_nonces.current(time.machine, &mut self.rng));
        match self.token(request, origin, time) {
            Ok(body) => TokenAnswer { status: 200, body, nonce, error: None },
            Err(refused) => {
                self.count(refused);
                let Refusal { status, error, description } = refused;
                let body = format!(r#"{{"error":{},"error_description":{}}}"#, json!(error), json!(description));
                let error = Some((error.to_owned(), description.to_owned()));
                TokenAnswer { status, body: body.into_bytes(), nonce, error }
            }
        }
    }

    fn token(&mut self, request: &Request, origin: &str, time: OrgTime) -> Result<Vec<u8>, Refusal> {
        let endpoint = format!("{origin}{TOKEN_PATH}");
        let form = Form::read(request)?;
        match form.grant_type.as_deref() {
            Some(GRANT_TYPE) => {}
            None | Some("") => return Err(refusal::NO_GRANT_TYPE),
            Some(_) => return Err(refusal::UNSUPPORTED_GRANT_TYPE),
        }
        let other_credentials = request.authorization.is_some() || form.client_secret.is_some();
        let assertion = match &form.client_assertion {
            Some(_) if other_credentials => return Err(refusal::MANY_CREDENTIALS),
            Some(assertion) => assertion,
            None if other_credentials => return Err(refusal::NOT_PRIVATE_KEY_JWT),
            None => return Err(refusal::NO_CREDENTIALS),
        };
        if form.client_assertion_type.as_deref() != Some(ASSERTION_TYPE) {
            return Err(refusal::ASSERTION_TYPE);
        }
        let client_id = form.client_id.as_deref();
        // Before the proof, so that the assertion of a request that is told to use a nonce is spent.
        assertion::check(assertion, client_id, &endpoint, &self.app, &mut self.used_assertions, time)?;
        let thumbprint = match self.app.dpop {
            DpopMode::Off => None,
            DpopMode::Optional if request.proofs.is_empty() => None,
            DpopMode::Optional | DpopMode::Required => {
                let expected = proof::Request { method: "POST", url: &endpoint, token: None };
                let (thumbprint, nonce) = proof::check(&request.proofs, &expected, &mut self.used_proofs, time)?;
                let current = nonce.is_some_and(|nonce| self.token_nonces.accepts(&nonce, time.machine, &mut self.rng));
                if !current {
                    return Err(refusal::PROOF_NONCE);
                }
                Some(thumbprint)
            }
        };
        let scopes = self.app.grant(form.scope.as_deref().unwrap_or_default())?;
        let token_type = if thumbprint.is_some() { "DPoP" } else { "Bearer" };
        let scope = scopes.join(" ");
        let life_seconds = self.token_life_seconds;
        let client_id = self.app.client_id.clone();
        let grant = Grant { origin, client_id: &client_id, scopes, thumbprint, life_seconds };
        let token = self.tokens.issue(grant, time, &mut self.rng).map_err(|_| refusal::SERVER_ERROR)?;
        self.counters.tokens_issued += 1;
        Ok(format!(
            r#"{{"token_type":"{token_type}","expires_in":{life_seconds},"access_token":"{token}","scope":{}}}"#,
            json!(scope)
        )
        .into_bytes())
    }

    /// Counts a refusal, of either endpoint.
    pub(super) fn count(&mut self, refused: Refusal) {
        let counters = &mut self.counters;
        let reasons = match refused.error {
            "use_dpop_nonce" => {
                counters.nonce_challenges += 1;
                return;
            }
            "invalid_dpop_proof" => &mut counters.refused_proofs,
            "invalid_client" => &mut counters.refused_assertions,
            "invalid_token" | "insufficient_scope" => &mut counters.refused_tokens,
            _ => &mut counters.refused_requests,
        };
        *reasons.entry(refused.description.to_owned()).or_default() += 1;
    }
}
