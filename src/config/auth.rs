//! `auth`: by what a connector is let into its org.

use sha2::{Digest, Sha256};

use super::oauth::{self, OauthApp};
use super::section::{Context, Field, Section};
use super::ssws::{Ssws, SswsError};
use super::yaml::Value;
use super::{keys, synonyms};

/// What to write where nothing usable stands.
const USAGE: &str = "write `ssws: \"${env:OKTA_API_TOKEN}\"`, or `oauth:` for a service app";

/// A credential as it is configured. Debug shows no secret (I9).
#[derive(Debug, Clone)]
pub enum Auth {
    /// An API token.
    Ssws(Ssws),
    /// An OAuth 2.0 service app.
    Oauth(OauthApp),
}

impl Auth {
    /// The API token, where it is one.
    pub fn ssws(&self) -> Option<&Ssws> {
        match self {
            Self::Ssws(ssws) => Some(ssws),
            Self::Oauth(_) => None,
        }
    }

    /// The service app, where it is one.
    pub fn oauth(&self) -> Option<&OauthApp> {
        match self {
            Self::Ssws(_) => None,
            Self::Oauth(app) => Some(app),
        }
    }

    /// The same for two credentials that are written alike, whichever connectors they belong to. Nobody can get the
    /// secret out of it.
    pub fn identity(&self) -> [u8; 32] {
        let mut digest = Sha256::new();
        match self {
            Self::Ssws(ssws) => ssws.digest(&mut digest),
            Self::Oauth(app) => app.digest(&mut digest),
        }
        digest.finalize().into()
    }
}

/// Reads the section; `None` after a problem. `loopback`: the org is on this machine.
pub(super) fn read(context: &mut Context<'_>, field: &Field<'_>, loopback: bool) -> Option<Auth> {
    if let Value::Scalar(_) | Value::Null = field.node.value {
        context.refuse(field, format!("has no keys: {USAGE}, under it, or `auth: {{ssws: …}}` on one line"));
        return None;
    }
    let section = context.section(field)?;
    let is_fine = check_keys(context, &section);
    match (section.get("ssws"), section.get("oauth")) {
        (Some(ssws), None) => read_ssws(context, ssws, loopback).map(Auth::Ssws),
        (None, Some(oauth)) => oauth::read(context, oauth, loopback).map(Auth::Oauth),
        (Some(ssws), Some(oauth)) => {
            // Whichever is kept: what is wrong in it is said now.
            let _ = (read_ssws(context, ssws, loopback), oauth::read(context, oauth, loopback));
            context.problem(
                &oauth.path,
                oauth.line,
                "stands beside `ssws`: a connector has one of the two; remove the other",
            );
            None
        }
        (None, None) => {
            if is_fine {
                context.problem(&section.child("ssws"), section.line, format!("is missing: {USAGE}"));
            }
            None
        }
    }
}

/// Whether no key was refused.
fn check_keys(context: &mut Context<'_>, section: &Section<'_>) -> bool {
    let mut is_fine = true;
    for (key, field) in section.iter().filter(|(key, _)| !keys::AUTH.contains(key)) {
        is_fine = false;
        if keys::OAUTH.contains(&key) {
            context.problem(
                &field.path,
                field.line,
                "belongs to a service app: write `oauth:`, and move it under that",
            );
        } else if synonyms::find(key, keys::AUTH.iter().copied()).is_some() {
            context.problem(&field.path, field.line, format!("unknown key `{key}`: {USAGE}"));
        } else if let Some((name, _)) = key.split_once(':').filter(|(name, _)| keys::AUTH.contains(name)) {
            context.problem(&section.path, field.line, format!("a space is missing after `{name}:`: write it"));
        } else {
            // The key is not shown: `auth: {00abc…}` is a token in the place of a key.
            context.problem(&section.path, field.line, format!("has a key that is not known: {USAGE}"));
        }
    }
    is_fine
}

fn read_ssws(context: &mut Context<'_>, field: &Field<'_>, loopback: bool) -> Option<Ssws> {
    let text = context.text(field)?;
    let literal = text.template.is_literal();
    // A part of the token may stand beside the placeholder.
    let shown = if text.template.has_literal() { String::new() } else { format!("`{}`: ", text.shown()) };
    match Ssws::from_template(text.template) {
        Ok(ssws) => {
            if literal && !loopback {
                let message = "the token stands in the file itself: better write `${env:NAME}` or `${file:PATH}`, \
                               which is also read again when the token is renewed";
                context.warning(&field.path, field.node.line, message);
            }
            Some(ssws)
        }
        Err(error) => {
            let place = if matches!(error, SswsError::Interpolation(_)) { "" } else { shown.as_str() };
            context.refuse(field, format!("{place}{error}"));
            None
        }
    }
}
