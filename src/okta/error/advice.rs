//! What an administrator does about a refused page, in the words of the Admin Console. It only picks words: no decision
//! hangs on what Okta's texts say, since E0000001, E0000053 and `invalid_client` stand for many things each.

use super::OktaError;

/// 401. `app`: the client ID of a service app; none for an API token.
pub(super) fn unauthorized(okta: &OktaError, app: Option<&str>) -> String {
    let Some(app) = app else {
        return "it is another org's, or its owner was deactivated or deleted, or it was revoked or unused for 30 days, or \
                this machine is outside of its network zone: look for it in this org (Admin Console > Security > API > Tokens); \
                where it is not there, make a new API token for an active administrator who may read the System Log, and set \
                it in `auth.ssws`"
            .to_owned();
    };
    let reason = match okta.summary.as_deref().unwrap_or_default() {
        says if says.contains("revoked") => "somebody revokes the app's tokens",
        says if says.contains("expired") => {
            "the org's servers do not agree on the time, or something in between keeps old answers"
        }
        _ => "the app was deactivated a moment ago, or something in between changes the request's headers",
    };
    format!(
        "a token that it has just given out: {reason}: look at the app `{app}` (Admin Console > Applications): it has to be active, \
         and its network zone has to have this machine; and at proxies between here and the org"
    )
}

/// 403.
pub(super) fn forbidden(okta: &OktaError, app: Option<&str>) -> String {
    match (app, okta.code.as_deref()) {
        (None, _) => "give the API token's owner a role that reads it, as Read-only Administrator or Report Administrator; \
                      where there is one, look whether this machine is outside of the token's network zone (Admin Console > \
                      Security > API > Tokens)"
            .to_owned(),
        (Some(app), Some("insufficient_scope")) => format!(
            "grant `okta.logs.read` to the app `{app}` (Admin Console > Applications > the app > Okta API Scopes)"
        ),
        (Some(app), _) => format!(
            "assign the role Report Administrator or Read-only Administrator to the app `{app}` itself (Admin Console > \
             Applications > the app > Admin roles > Edit assignments)"
        ),
    }
}

/// 400: what was refused, and what to do.
pub(super) fn bad_request(okta: &OktaError) -> (&'static str, &'static str) {
    match okta.code.as_deref() {
        Some("invalid_request") => (
            "a token without a proof of possession",
            "the org binds tokens to a key (DPoP): take `dpop: false` out of `auth.oauth`, or the requirement off the app (Admin \
             Console > Applications > the app > General > Proof of possession)",
        ),
        Some("invalid_dpop_proof" | "use_dpop_nonce") => (
            "the proof of possession",
            "look for something between here and the org that changes the URL, the host or `Date`, or sends a request twice",
        ),
        _ => ("the query", bad_query(okta)),
    }
}

fn bad_query(okta: &OktaError) -> &'static str {
    const DATE: &str =
        "correct `since`; if the date is a checkpoint's, set another with `offsets alter NAME --since T`";
    const FILTER: &str = "correct `filter`: its fields are those of a LogEvent, as `eventType`, capitals and all, its operators eq, \
                          ne, gt, ge, lt, le, sw, ew, co and pr";
    match okta.code.as_deref() {
        Some("E0000030") => DATE,
        Some("E0000031") => "correct `filter`: Okta does not support this operator on this field",
        _ if okta.mentions("'q'") => "correct `q`: at most 10 keywords, of at most 40 characters each",
        _ if okta.mentions("'limit'") => "lower `limit`",
        _ if okta.mentions("'since'") || okta.mentions("'until'") => DATE,
        _ if ["nvalid filter", "SCIM filter", "field is not valid"].iter().any(|text| okta.mentions(text)) => FILTER,
        _ => "correct `filter`, `q`, `since` or `limit`",
    }
}
