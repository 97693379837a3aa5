//! One request to the org's token endpoint: to the org's own origin alone, by the same way as its pages.

use bytes::Bytes;
use jiff::Timestamp;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, LOCATION};
use url::Url;
use url::form_urlencoded::Serializer;

use super::{Client, ERROR_BODY_CAP, nonce, rate_limit, request_id, server_date, text};
use crate::okta::error::RequestError;
use crate::okta::origin::Origin;
use crate::okta::page_url::PageUrlError;
use crate::okta::rate_limit::RateLimit;

/// What the token endpoint says, whatever its status.
pub(in crate::okta) struct TokenAnswer {
    pub status: u16,
    pub body: Bytes,
    pub rate_limit: Option<RateLimit>,
    pub server_date: Option<Timestamp>,
    /// For the next proof (RFC 9449, section 8).
    pub nonce: Option<String>,
    /// Where a redirect points to.
    pub location: Option<String>,
    /// `x-okta-request-id`.
    pub request_id: Option<String>,
}

impl Client {
    /// Posts a form to `url`, which is of `org`: nothing is sent where that is not this client's org (I3).
    pub(in crate::okta) async fn post_token(
        &self,
        org: &Origin,
        url: &Url,
        form: &[(&str, &str)],
        proof: Option<HeaderValue>,
    ) -> Result<TokenAnswer, RequestError> {
        if *org != self.org || Origin::of(url).as_ref() != Some(org) {
            let error = PageUrlError::OtherOrigin { found: org.to_string(), org: self.org.to_string() };
            return Err(RequestError::NotSent { error });
        }
        let body = Serializer::new(String::new()).extend_pairs(form).finish();
        let mut headers = HeaderMap::with_capacity(3);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
        headers.extend(proof.map(|proof| (HeaderName::from_static("dpop"), proof)));
        let response = self.send(self.http.post(url.clone()).body(body), headers).await?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        // The status says enough where the text of a refusal cannot be read.
        let body = match self.body(response, ERROR_BODY_CAP, None).await {
            Err(error) if status == 200 => return Err(error),
            body => body.unwrap_or_default(),
        };
        let (rate_limit, server_date) = (rate_limit(&headers), server_date(&headers));
        let nonce = nonce(&headers).map(str::to_owned);
        let location = text(&headers, &LOCATION).map(str::to_owned);
        let secrets: Vec<&str> = form.iter().map(|(_, value)| *value).collect();
        let request_id = request_id(&headers, &secrets);
        Ok(TokenAnswer { status, body, rate_limit, server_date, nonce, location, request_id })
    }
}
