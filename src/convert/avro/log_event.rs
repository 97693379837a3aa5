//! The records of the schema, one by one. schemas/okta-system-log-event.avsc says what each field means.

use std::borrow::Cow;

use super::path::Path;
use super::reader::{Reader, Result};
use super::typed::{Derived, Kind, Millis, OpenMap, Typed, Unmapped, member, records, unknown};
use super::unencodable::Unencodable;

type Text<'a> = Cow<'a, str>;

records! {
    LogEvent {
        #[serde(serialize_with = "required")]
        uuid "uuid" Text<'a>,
        published "published" Text<'a>,
        published_at "publishedAt" Derived<Millis>,
        event_type "eventType" Text<'a>,
        severity "severity" Text<'a>,
        version "version" Text<'a>,
        display_message "displayMessage" Text<'a>,
        legacy_event_type "legacyEventType" Text<'a>,
        outcome "outcome" LogOutcome<'a>,
        actor "actor" LogActor<'a>,
        target "target" Vec<LogTarget<'a>>,
        client "client" LogClient<'a>,
        device "device" LogDevice<'a>,
        authentication_context "authenticationContext" LogAuthenticationContext<'a>,
        security_context "securityContext" LogSecurityContext<'a>,
        request "request" LogRequest<'a>,
        transaction "transaction" LogTransaction<'a>,
        debug_context "debugContext" LogDebugContext<'a>,
        unmapped "unmapped" Derived<OpenMap<'a>>,
    }
    LogOutcome {
        result "result" Text<'a>,
        reason "reason" Text<'a>,
    }
    LogActor {
        id "id" Text<'a>,
        kind "type" Text<'a>,
        alternate_id "alternateId" Text<'a>,
        display_name "displayName" Text<'a>,
        detail_entry "detailEntry" OpenMap<'a>,
    }
    LogTarget {
        id "id" Text<'a>,
        kind "type" Text<'a>,
        alternate_id "alternateId" Text<'a>,
        display_name "displayName" Text<'a>,
        detail_entry "detailEntry" OpenMap<'a>,
        change_details "changeDetails" LogChangeDetails<'a>,
    }
    LogChangeDetails {
        from "from" OpenMap<'a>,
        to "to" OpenMap<'a>,
    }
    LogClient {
        user_agent "userAgent" LogUserAgent<'a>,
        zone "zone" Text<'a>,
        device "device" Text<'a>,
        id "id" Text<'a>,
        ip_address "ipAddress" Text<'a>,
        geographical_context "geographicalContext" LogGeographicalContext<'a>,
    }
    LogUserAgent {
        raw_user_agent "rawUserAgent" Text<'a>,
        os "os" Text<'a>,
        browser "browser" Text<'a>,
    }
    LogGeographicalContext {
        city "city" Text<'a>,
        state "state" Text<'a>,
        country "country" Text<'a>,
        postal_code "postalCode" Text<'a>,
        geolocation "geolocation" LogGeolocation<'a>,
    }
    LogGeolocation {
        lat "lat" f64,
        lon "lon" f64,
    }
    LogDevice {
        id "id" Text<'a>,
        name "name" Text<'a>,
        os_platform "os_platform" Text<'a>,
        os_version "os_version" Text<'a>,
        managed "managed" bool,
        registered "registered" bool,
        device_integrator "device_integrator" Text<'a>,
        disk_encryption_type "disk_encryption_type" Text<'a>,
        screen_lock_type "screen_lock_type" Text<'a>,
        jailbreak "jailbreak" bool,
        secure_hardware_present "secure_hardware_present" bool,
    }
    LogAuthenticationContext {
        authentication_provider "authenticationProvider" Text<'a>,
        credential_provider "credentialProvider" Text<'a>,
        credential_type "credentialType" Text<'a>,
        issuer "issuer" LogIssuer<'a>,
        interface "interface" Text<'a>,
        authentication_step "authenticationStep" i64,
        root_session_id "rootSessionId" Text<'a>,
        external_session_id "externalSessionId" Text<'a>,
        authenticator_context "authenticatorContext" LogAuthenticatorContext<'a>,
    }
    LogIssuer {
        id "id" Text<'a>,
        kind "type" Text<'a>,
    }
    LogAuthenticatorContext {
        application_version "applicationVersion" Text<'a>,
        binary_identifier "binaryIdentifier" Text<'a>,
        binary_path "binaryPath" Text<'a>,
        binding_method "bindingMethod" Text<'a>,
        request_origin "requestOrigin" Text<'a>,
        signer_distinguished_name "signerDistinguishedName" Text<'a>,
        signer_key_identifier "signerKeyIdentifier" Text<'a>,
        user_consent "userConsent" Text<'a>,
        validation_status "validationStatus" Text<'a>,
    }
    LogSecurityContext {
        as_number "asNumber" i64,
        as_org "asOrg" Text<'a>,
        isp "isp" Text<'a>,
        domain "domain" Text<'a>,
        is_proxy "isProxy" bool,
        risk "risk" LogRisk<'a>,
        ip_details "ipDetails" LogIpDetails<'a>,
        user_behaviors "userBehaviors" Vec<LogUserBehavior<'a>>,
        bot_protection "botProtection" LogBotProtection<'a>,
    }
    LogRisk {
        level "level" Text<'a>,
        previous_level "previousLevel" Text<'a>,
        reasons "reasons" Vec<Text<'a>>,
        detection_name "detectionName" Text<'a>,
        issuer "issuer" Text<'a>,
    }
    LogIpDetails {
        as_number "asNumber" i64,
        as_org "asOrg" Text<'a>,
        isp "isp" Text<'a>,
        domain "domain" Text<'a>,
        ip_service_categories "ipServiceCategories" Vec<LogIpServiceCategory<'a>>,
    }
    LogIpServiceCategory {
        kind "type" Text<'a>,
        operator "operator" Text<'a>,
        is_anonymous "isAnonymous" bool,
    }
    LogUserBehavior {
        id "id" Text<'a>,
        name "name" Text<'a>,
        result "result" Text<'a>,
    }
    LogBotProtection {
        level "level" Text<'a>,
    }
    LogRequest {
        ip_chain "ipChain" Vec<LogIpAddress<'a>>,
    }
    LogIpAddress {
        ip "ip" Text<'a>,
        geographical_context "geographicalContext" LogGeographicalContext<'a>,
        version "version" Text<'a>,
        source "source" Text<'a>,
        ip_details "ipDetails" LogIpDetails<'a>,
    }
    LogTransaction {
        id "id" Text<'a>,
        kind "type" Text<'a>,
        detail "detail" OpenMap<'a>,
    }
    LogDebugContext {
        debug_data "debugData" OpenMap<'a>,
    }
}

/// The one field that can't be null: the event is not encoded without it.
fn required<S: serde::Serializer>(text: &Option<Text<'_>>, serializer: S) -> std::result::Result<S::Ok, S::Error> {
    match text {
        Some(text) => serializer.serialize_str(text),
        None => Err(serde::ser::Error::custom("`uuid` is required")),
    }
}

#[cfg(test)]
mod tests;
