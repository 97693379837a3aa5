//! One event as JSON text, in Okta's member order.

use std::fmt::Write;

use super::catalog::{CATALOG, EventType, Family};
use super::ids::{push_base62, push_base64, push_hex};
use super::population::{AGENTS, Agent, BROWSERS, Named, Person, Place, Population};

/// What the members of one event have in common.
struct Scene<'a> {
    event_type: &'static EventType,
    actor: &'a Person,
    subject: &'a Person,
    app: &'a Named,
    group: &'a Named,
    policy: &'a Named,
    place: &'a Place,
    agent: &'static Agent,
    address: String,
    session: String,
    request_id: String,
    transaction_id: String,
    failed: bool,
    /// A program called the API, so little is known of the client, and little is said of the request.
    program: bool,
    /// Okta does not know where the address is, nor whose it is.
    unlocated: bool,
}

impl<'a> Scene<'a> {
    fn draw(rng: &mut fastrand::Rng, population: &'a Population) -> Self {
        let event_type = CATALOG.draw(rng);
        // An id of its own kind: a new-style request id is hexadecimal, an old one 27 characters of base 64.
        let mut request_id = String::with_capacity(32);
        if rng.u32(..3) > 0 {
            push_hex(&mut request_id, rng, 32);
        } else {
            push_base64(&mut request_id, rng, 27);
        }
        let mut session = String::with_capacity(25);
        session.push_str(pick(rng, &["idx", "102", "trs"]));
        push_base64(&mut session, rng, 22);
        let transaction_id = match event_type.family {
            Family::System => {
                let mut id = "cj".to_owned();
                push_base62(&mut id, rng, 18);
                id
            }
            _ => request_id.clone(),
        };
        let program = rng.u32(..100) < 63;
        let agents = if program { &AGENTS[BROWSERS..] } else { &AGENTS[..BROWSERS] };
        let place = &population.places[rng.usize(..population.places.len())];
        let app_count = population.apps.len();
        // Few apps and few people make most of the noise: the smaller of two draws.
        let actor = rng.usize(..population.people.len()).min(rng.usize(..population.people.len()));
        let app = rng.usize(..app_count).min(rng.usize(..app_count));
        Self {
            event_type,
            actor: &population.people[actor],
            subject: &population.people[rng.usize(..population.people.len())],
            app: &population.apps[app],
            group: &population.groups[rng.usize(..population.groups.len())],
            policy: &population.policies[rng.usize(..population.policies.len())],
            place,
            agent: &agents[rng.usize(..agents.len())],
            address: format!("{}.{}", place.network, rng.u8(1..255)),
            session,
            request_id,
            transaction_id,
            failed: rng.u32(..100) < 8,
            program,
            unlocated: program || rng.u32(..100) < 10,
        }
    }

    fn is(&self, id: &str) -> bool {
        self.event_type.id == id
    }
}

fn pick<'t>(rng: &mut fastrand::Rng, from: &[&'t str]) -> &'t str {
    from[rng.usize(..from.len())]
}

/// Writes one event. Writing into a `String` cannot fail, so the results of `write!` are dropped.
pub(super) fn write(out: &mut String, rng: &mut fastrand::Rng, population: &Population, uuid: &str, published: &str) {
    let scene = Scene::draw(rng, population);
    let system = scene.event_type.family == Family::System;
    out.push_str("{\"actor\":");
    actor(out, &scene);
    out.push_str(",\"client\":");
    client(out, rng, &scene);
    out.push_str(",\"device\":");
    device(out, rng, &scene);
    out.push_str(",\"authenticationContext\":");
    authentication_context(out, rng, &scene);
    let display = scene.event_type.display;
    let _ = if display.is_empty() {
        write!(out, ",\"displayMessage\":{}", if rng.bool() { "\"\"" } else { "null" })
    } else {
        write!(out, ",\"displayMessage\":\"{display}\"")
    };
    let _ = write!(out, ",\"eventType\":\"{}\",\"outcome\":", scene.event_type.id);
    let severity = outcome(out, rng, &scene);
    let _ = write!(out, ",\"published\":\"{published}\",\"securityContext\":");
    if system || scene.unlocated {
        out.push_str(r#"{"asNumber":null,"asOrg":null,"isp":null,"domain":null,"isProxy":null}"#);
    } else {
        out.push_str(&scene.place.security);
    }
    let _ = write!(out, ",\"severity\":\"{severity}\",\"debugContext\":{{\"debugData\":");
    debug_data(out, rng, &scene);
    out.push_str("},\"legacyEventType\":");
    match scene.event_type.legacy {
        Some(legacy) => {
            let _ = write!(out, "\"{legacy}\"");
        }
        None => out.push_str("null"),
    }
    let kind = if system { "JOB" } else { "WEB" };
    let _ = write!(out, ",\"transaction\":{{\"type\":\"{kind}\",\"id\":\"{}\",\"detail\":", scene.transaction_id);
    if scene.event_type.family == Family::Admin && rng.u32(..4) == 0 {
        out.push_str("{\"requestApiTokenId\":\"00T");
        push_base62(out, rng, 17);
        out.push_str("\"}");
    } else {
        out.push_str("{}");
    }
    let _ = write!(out, "}},\"uuid\":\"{uuid}\",\"version\":\"0\",\"request\":{{\"ipChain\":");
    if system {
        out.push_str("[]");
    } else {
        let geography = if scene.unlocated { "null" } else { &scene.place.geography };
        let _ = write!(
            out,
            r#"[{{"ip":"{}","geographicalContext":{geography},"version":"V4","source":null}}"#,
            scene.address
        );
        if rng.u32(..100) < 4 {
            let proxy = rng.u8(1..255);
            let _ =
                write!(out, r#",{{"ip":"52.22.142.{proxy}","geographicalContext":null,"version":"V4","source":null}}"#);
        }
        out.push(']');
    }
    out.push_str("},\"target\":");
    target(out, rng, &scene);
    out.push('}');
}

fn actor(out: &mut String, scene: &Scene<'_>) {
    match scene.event_type.family {
        Family::System => out.push_str(
            r#"{"id":"okta_system","type":"SystemPrincipal","alternateId":"system@okta.com","displayName":"Okta System","detailEntry":null}"#,
        ),
        _ => user(out, scene.actor, "User"),
    }
}

fn user(out: &mut String, person: &Person, kind: &str) {
    let Person { id, login, name } = person;
    let _ = write!(
        out,
        r#"{{"id":"{id}","type":"{kind}","alternateId":"{login}","displayName":"{name}","detailEntry":null}}"#
    );
}

fn client(out: &mut String, rng: &mut fastrand::Rng, scene: &Scene<'_>) {
    if scene.event_type.family == Family::System {
        out.push_str(
            r#"{"userAgent":null,"zone":null,"device":null,"id":null,"ipAddress":null,"geographicalContext":null}"#,
        );
        return;
    }
    let Agent { raw, os, browser, device } = scene.agent;
    // Nearly always the string, not null: 165 of 172 recorded events.
    let zone = match rng.u32(..100) {
        0..96 => "\"null\"",
        96..98 => "null",
        _ => "\"LegacyIpZone\"",
    };
    let id = if scene.event_type.id.starts_with("app.oauth2") { &scene.app.id } else { "" };
    let id = if id.is_empty() { "null".to_owned() } else { format!("\"{id}\"") };
    let geography = match (scene.unlocated, !scene.program || rng.u32(..4) == 0) {
        (true, true) => {
            r#"{"city":null,"state":null,"country":null,"postalCode":null,"geolocation":{"lat":37.751,"lon":-97.822}}"#
        }
        (true, false) => "null",
        (false, _) => &scene.place.geography,
    };
    let _ = write!(
        out,
        r#"{{"userAgent":{{"rawUserAgent":"{raw}","os":"{os}","browser":"{browser}"}},"zone":{zone},"device":"{device}","id":{id},"ipAddress":"{}","geographicalContext":{geography}}}"#,
        scene.address
    );
}

fn device(out: &mut String, rng: &mut fastrand::Rng, scene: &Scene<'_>) {
    // Known devices only, and of them only in what a person does.
    if scene.event_type.family != Family::Person || rng.u32(..100) >= 12 {
        out.push_str("null");
        return;
    }
    out.push_str("{\"id\":\"guo");
    push_base62(out, rng, 17);
    let (name, platform, version) = [
        ("Mac15,6", "OSX", "14.6.0"),
        ("DESKTOP-4F2K9QX", "WINDOWS", "10.0.22631.3880"),
        ("Zoë’s iPhone", "IOS", "17.5.1"),
    ][rng.usize(..3)];
    let integrator = match rng.u32(..6) {
        0 => r#""{\"CROWDSTRIKE\":{\"overall\":\"71\",\"os\":\"64\"}}""#,
        _ => "null",
    };
    let _ = write!(
        out,
        r#"","name":"{name}","os_platform":"{platform}","os_version":"{version}","managed":{},"registered":true,"device_integrator":{integrator},"disk_encryption_type":"ALL_INTERNAL_VOLUMES","screen_lock_type":"BIOMETRIC","jailbreak":null,"secure_hardware_present":true}}"#,
        rng.bool()
    );
}

fn authentication_context(out: &mut String, rng: &mut fastrand::Rng, scene: &Scene<'_>) {
    let (provider, credential, kind) = match scene.event_type.id {
        "user.authentication.auth_via_mfa" | "user.mfa.okta_verify" => {
            ("\"FACTOR_PROVIDER\"", "\"OKTA_CREDENTIAL_PROVIDER\"", pick(rng, &["\"OTP\"", "\"SMS\"", "null"]))
        }
        "user.session.start" if rng.bool() => ("\"OKTA_AUTHENTICATION_PROVIDER\"", "null", "\"PASSWORD\""),
        _ => ("null", "null", "null"),
    };
    let _ = write!(
        out,
        r#"{{"authenticationProvider":{provider},"credentialProvider":{credential},"credentialType":{kind},"issuer":null,"interface":null,"authenticationStep":0,"#
    );
    // A failed sign-in has no session yet.
    let session = match scene.event_type.family {
        Family::System => "null".to_owned(),
        _ if scene.failed && scene.is("user.session.start") => "null".to_owned(),
        _ => format!("\"{}\"", scene.session),
    };
    if scene.event_type.family == Family::Person && rng.bool() {
        let _ = write!(out, r#""rootSessionId":{session},"#);
    }
    let _ = write!(out, r#""externalSessionId":{session}}}"#);
}

/// Writes the outcome and returns the severity that goes with it.
fn outcome(out: &mut String, rng: &mut fastrand::Rng, scene: &Scene<'_>) -> &'static str {
    if scene.is("policy.evaluate_sign_on") {
        let result = pick(rng, &["ALLOW", "ALLOW", "ALLOW", "CHALLENGE", "CHALLENGE", "DENY"]);
        let _ = write!(out, r#"{{"result":"{result}","reason":"Sign-on policy evaluation resulted in {result}"}}"#);
        return if result == "DENY" { "WARN" } else { "INFO" };
    }
    if scene.event_type.id.ends_with("limit.violation") {
        out.push_str(r#"{"result":"DENY","reason":"Too many requests"}"#);
        return "WARN";
    }
    if scene.failed {
        let reason =
            pick(rng, &["INVALID_CREDENTIALS", "VERIFICATION_ERROR", "LOCKED_OUT", "Unable to process the request"]);
        let _ = write!(out, r#"{{"result":"FAILURE","reason":"{reason}"}}"#);
        return if rng.u32(..5) == 0 { "ERROR" } else { "WARN" };
    }
    match rng.u32(..100) {
        0 => out.push_str("null"),
        1..3 => out.push_str(r#"{"result":"SKIPPED","reason":"No match"}"#),
        _ => out.push_str(r#"{"result":"SUCCESS","reason":null}"#),
    }
    if rng.u32(..50) == 0 { "DEBUG" } else { "INFO" }
}

fn debug_data(out: &mut String, rng: &mut fastrand::Rng, scene: &Scene<'_>) {
    match scene.event_type.family {
        Family::System => {
            let _ = write!(out, r#"{{"requestId":"{}"}}"#, scene.request_id);
        }
        Family::Admin => {
            let path = match scene.event_type.id.split('.').next().unwrap_or_default() {
                "group" => format!("/api/v1/groups/{}/users/{}", scene.group.id, scene.subject.id),
                "application" => format!("/api/v1/apps/{}/users", scene.app.id),
                "policy" => format!("/api/v1/policies/{}/rules", scene.policy.id),
                _ => format!("/api/v1/users/{}", scene.subject.id),
            };
            if scene.program {
                let _ = write!(out, r#"{{"requestUri":"{path}"}}"#);
                return;
            }
            out.push('{');
            device_token_hash(out, rng);
            let _ = write!(
                out,
                r#""requestId":"{}","requestUri":"{path}","threatSuspected":"false","url":"{path}?"}}"#,
                scene.request_id
            );
        }
        Family::Person => {
            let path = pick(
                rng,
                &["/idp/idx/authenticators/poll", "/idp/idx/challenge/answer", "/idp/idx/identify", "/api/v1/authn"],
            );
            let path = match scene.event_type.id {
                "user.authentication.sso" => format!("/app/example/{}/sso/saml", scene.app.id),
                _ => path.to_owned(),
            };
            if scene.program {
                let _ = write!(out, r#"{{"requestUri":"{path}"}}"#);
                return;
            }
            out.push('{');
            if rng.u32(..4) == 0 {
                let _ = write!(out, r#""authnRequestId":"{}","#, scene.request_id);
            }
            device_token_hash(out, rng);
            let _ = write!(out, r#""requestId":"{}","requestUri":"{path}""#, scene.request_id);
            if (scene.is("user.session.start") || scene.is("policy.evaluate_sign_on")) && rng.u32(..3) == 0 {
                let level = pick(rng, &["LOW", "LOW", "MEDIUM"]);
                let _ = write!(
                    out,
                    r#","risk":"{{level={level}}}","behaviors":"{{New Geo-Location=NEGATIVE, New Device={}, New IP=NEGATIVE, New State=NEGATIVE, New Country=NEGATIVE, Velocity=NEGATIVE, New City=NEGATIVE}}""#,
                    pick(rng, &["NEGATIVE", "POSITIVE"])
                );
            }
            if scene.is("user.session.start") && rng.u32(..8) == 0 {
                let _ = write!(
                    out,
                    r#","logOnlySecurityData":"{{\"risk\":{{\"level\":\"LOW\"}},\"behaviors\":{{\"New Geo-Location\":\"NEGATIVE\",\"New Device\":\"NEGATIVE\",\"New IP\":\"NEGATIVE\",\"Velocity\":\"NEGATIVE\"}}}}""#
                );
            }
            if scene.is("user.authentication.auth_via_mfa") {
                let _ =
                    write!(out, r#","factor":"{}""#, pick(rng, &["OKTA_VERIFY_PUSH", "SIGNED_NONCE", "SMS_FACTOR"]));
            }
            let _ = write!(out, r#","threatSuspected":"false","url":"{path}?"}}"#);
        }
    }
}

/// The hash of the device's token, where the browser sent one.
fn device_token_hash(out: &mut String, rng: &mut fastrand::Rng) {
    if rng.u32(..5) == 0 {
        out.push_str("\"dtHash\":\"");
        push_hex(out, rng, 64);
        out.push_str("\",");
    }
}

fn named(out: &mut String, id: &str, kind: &str, alternate_id: &str, name: &str) {
    let _ = write!(
        out,
        r#"{{"id":"{id}","type":"{kind}","alternateId":{alternate_id},"displayName":"{name}","detailEntry":null}}"#
    );
}

fn target(out: &mut String, rng: &mut fastrand::Rng, scene: &Scene<'_>) {
    let (app, policy) = (scene.app, scene.policy);
    match scene.event_type.family {
        Family::System => {
            if rng.u32(..3) == 0 {
                out.push_str("null");
                return;
            }
            out.push('[');
            named(out, &app.id, "AppInstance", "null", app.name);
        }
        Family::Person => {
            out.push('[');
            match scene.event_type.id {
                "user.authentication.sso" | "user.session.access_admin_app" => {
                    let quoted = format!("\"{}\"", app.name);
                    named(out, &app.id, "AppInstance", &quoted, app.name);
                    out.push(',');
                    let mut id = "0ua".to_owned();
                    push_base62(&mut id, rng, 17);
                    named(out, &id, "AppUser", "\"unknown\"", &scene.actor.name);
                }
                "policy.evaluate_sign_on" => {
                    named(out, &policy.id, "PolicyEntity", "\"unknown\"", policy.name);
                    out.push(',');
                    let mut id = "0pr".to_owned();
                    push_base62(&mut id, rng, 17);
                    named(out, &id, "PolicyRule", "null", "Catch-all Rule");
                }
                id if id.ends_with("violation") => {
                    out.push_str(r#"{"id":"/api/v1/authn","type":"URL Pattern","alternateId":null,"displayName":null,"detailEntry":null}"#);
                }
                _ => user(out, scene.actor, "User"),
            }
        }
        Family::Admin => {
            out.push('[');
            let area = scene.event_type.id.split('.').next().unwrap_or_default();
            match area {
                "group" => {
                    user(out, scene.subject, "User");
                    out.push(',');
                    named(out, &scene.group.id, "UserGroup", "\"unknown\"", scene.group.name);
                }
                "application" => {
                    user(out, scene.subject, "AppUser");
                    out.push(',');
                    named(out, &app.id, "AppInstance", "null", app.name);
                }
                "policy" => named(out, &policy.id, "PolicyEntity", "null", policy.name),
                _ => user(out, scene.subject, "User"),
            }
        }
    }
    if scene.event_type.has_changes {
        // The last target says what changed; its values are of every JSON type.
        out.truncate(out.len() - 1);
        let _ = write!(
            out,
            r#","changeDetails":{{"from":{{"name":"{0}","enabled":true,"priority":{1},"ids":["{2}"],"settings":{{"mode":null}}}},"to":{{"name":"{0}","enabled":false,"priority":{3},"ids":[],"settings":{{"mode":"STRICT"}}}}}}}}"#,
            policy.name,
            rng.u8(..9),
            app.id,
            rng.u8(..9),
        );
    }
    out.push(']');
}
