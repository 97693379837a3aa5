//! Why a broker is not reached: librdkafka's words, and ours with the next thing to do.
//!
//! librdkafka tells it in its log only, while whoever waits for an answer hears that none came. Its words are held against
//! a real broker in `tests/it/tls_errors.rs`, which fails where they change.

/// A broker that closes the connection this early does so because of how we came.
const SOON_MS: u32 = 2_000;

/// What the configuration says about how brokers are reached, as far as advice depends on it. Holds no secret.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Login {
    /// `sasl.mechanism`.
    pub mechanism: String,
    /// Whether a client certificate is configured.
    pub has_certificate: bool,
    /// Whether `security.protocol` has TLS.
    pub tls: bool,
}

/// What is wrong with the connection to a broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// Known: a message that ends in the next thing to do.
    Known(String),
    /// The broker's certificate is refused, and librdkafka does not say why; the message says what may be.
    Certificate(String),
    /// Not known: librdkafka's own words.
    Other(String),
}

impl Trouble {
    /// The message.
    pub fn message(&self) -> &str {
        match self {
            Self::Known(message) | Self::Certificate(message) | Self::Other(message) => message,
        }
    }
}

/// A failed connection, from a line of librdkafka's log of facility `FAIL`: the broker's address, and what went wrong.
///
/// As `[thrd:ssl://host:9093/bootstrap]: ssl://host:9093/bootstrap: reason (after 3ms in state SSL_HANDSHAKE)`; a coordinator is
/// `GroupCoordinator: host:9093: reason`.
pub fn parse(line: &str) -> Option<(&str, &str)> {
    let line = line.strip_prefix("[thrd:").and_then(|rest| rest.split_once("]: ")).map_or(line, |(_, rest)| rest);
    let (name, reason) = line.split_once(": ")?;
    if name.ends_with("Coordinator") {
        return reason.split_once(": ");
    }
    let address = name.split_once("://").map_or(name, |(_, address)| address);
    Some((address.rsplit_once('/').map_or(address, |(address, _)| address), reason))
}

/// Says it in our words.
pub fn explain(address: &str, reason: &str, login: &Login) -> Trouble {
    // Appended, as `(after 3ms in state UP, 1 identical error(s) suppressed)`.
    let (reason, state) = reason.rsplit_once(" (after ").unwrap_or((reason, ""));
    let has = |words: &str| reason.contains(words);
    let closed_in = |name: &str| {
        let (after, in_state) = state.split_once("ms in state ").unwrap_or_default();
        let soon = after.parse::<u32>().is_ok_and(|after| after < SOON_MS);
        has("Disconnected") && soon && in_state.starts_with(name)
    };
    let mechanism = &login.mechanism;
    // Empty where a login that runs out is refused another one.
    let offered = reason.rsplit_once("supported mechanisms: ").map_or("", |(_, offered)| offered.trim());
    let known = if has("mechanism handshake failed") && !offered.is_empty() {
        format!("broker `{address}` does not take {mechanism}, but {offered}: set `sasl.mechanism` to what it takes")
    } else if has("SASL authentication error")
        || has("SASL authentication failure")
        || has("authentication failed")
        || has("mechanism handshake failed")
    {
        if mechanism == "OAUTHBEARER" {
            format!(
                "broker `{address}` refuses the token: check that it is for the audience, issuer and scope that the broker expects, and both clocks"
            )
        } else {
            format!(
                "broker `{address}` refuses the login: check `sasl.username` and `sasl.password`, and that the user has a {mechanism} credential there"
            )
        }
    } else if has("certificate verify failed") || has("Failed to verify broker certificate") {
        return Trouble::Certificate(format!(
            "the certificate of broker `{address}` can't be verified: check `ssl.ca.location`, and the certificate's names and dates"
        ));
    } else if has(" alert ") && !login.has_certificate && (has("certificate") || has("handshake failure")) {
        format!(
            "broker `{address}` asks for a client certificate: set `ssl.certificate.location` and `ssl.key.location`"
        )
    } else if has(" alert ") && (has("certificate") || has("unknown ca")) {
        let alert = reason.split_once(" alert ").map_or("", |(_, alert)| alert);
        let alert = alert.split(':').next().unwrap_or_default();
        format!(
            "broker `{address}` refuses our certificate ({alert}): check that a CA which it trusts signed `ssl.certificate.location`, and its dates"
        )
    } else if has("wrong version number") || has("packet length too long") || (login.tls && closed_in("SSL_HANDSHAKE"))
    {
        format!(
            "broker `{address}` does not speak TLS on this port: use its TLS port in `bootstrap.servers`, or mend `security.protocol`"
        )
    } else if has("Invalid response size") || (!login.tls && closed_in("APIVERSION_QUERY")) {
        format!(
            "broker `{address}` does not speak without TLS on this port: set `security.protocol` to `{}`, or use another port in `bootstrap.servers`",
            if mechanism.is_empty() { "ssl` or `sasl_ssl" } else { "sasl_ssl" }
        )
    } else if mechanism.is_empty() && closed_in("UP") {
        format!(
            "broker `{address}` closes the connection, as one does that asks for a login: set `security.protocol` to `{}`, and `sasl.mechanism`",
            if login.tls { "sasl_ssl" } else { "sasl_plaintext` or `sasl_ssl" }
        )
    } else if has("Connection refused") {
        format!("nobody listens at `{address}`: check `bootstrap.servers`, and that the broker runs")
    } else if has("Failed to resolve") {
        format!(
            "the name `{address}` is not known: check `bootstrap.servers`, the broker's `advertised.listeners` and the DNS"
        )
    } else if has("Connection setup timed out") || has("timed out") || has("No route to host") || has("unreachable") {
        format!(
            "`{address}` does not answer: check `bootstrap.servers`, `advertised.listeners`, and firewalls on the way"
        )
    } else {
        return Trouble::Other(format!(
            "the connection to `{address}` fails ({reason}): check `bootstrap.servers`, `security.protocol` and the broker's log"
        ));
    };
    Trouble::Known(known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_found_in_every_form() {
        for (line, address) in [
            (
                "[thrd:ssl://a.b:9093/bootstrap]: ssl://a.b:9093/bootstrap: Disconnected (after 3ms in state X)",
                "a.b:9093",
            ),
            ("[thrd:127.0.0.1:9/1]: 127.0.0.1:9/1: Connect to x failed", "127.0.0.1:9"),
            ("[thrd:GroupCoordinator]: GroupCoordinator: [::1]:9092: Disconnected", "[::1]:9092"),
            ("sasl_ssl://[::1]:9092/2: Disconnected", "[::1]:9092"),
        ] {
            assert_eq!(parse(line).map(|(address, _)| address), Some(address), "{line}");
        }
        assert_eq!(parse("nothing"), None);
    }

    /// Each in librdkafka's words; against a broker: `tests/it/tls_errors.rs`.
    #[test]
    fn every_reason_ends_in_what_to_do() {
        let scram = Login { mechanism: "SCRAM-SHA-512".to_owned(), tls: true, ..Login::default() };
        let token = Login { mechanism: "OAUTHBEARER".to_owned(), tls: true, ..Login::default() };
        let mutual = Login { has_certificate: true, tls: true, ..Login::default() };
        let alert = "Receive failed: error:0A000412:SSL routines::ssl/tls alert bad certificate: SSL alert number 42";
        for (reason, login, words) in [
            ("SASL authentication error: invalid credentials (after 3ms in state AUTH_REQ)", &scram, "`sasl.password`"),
            ("SASL authentication error: {\"status\":\"invalid_token\"}", &token, "refuses the token"),
            ("Disconnected: closed (after 3ms in state APIVERSION_QUERY)", &Login::default(), "`ssl` or `sasl_ssl`"),
            ("Disconnected: closed (after 3ms in state UP)", &mutual, "asks for a login"),
            ("Disconnected: closed (after 30000ms in state UP)", &mutual, "fails (Disconnected"),
            (alert, &scram, "asks for a client certificate"),
            (alert, &mutual, "refuses our certificate (bad certificate)"),
            ("Connect to ipv4#127.0.0.1:9 failed: Connection refused", &scram, "nobody listens"),
            ("Something else (after 3ms in state UP)", &scram, "fails (Something else): check"),
        ] {
            let trouble = explain("host:1", reason, login);
            assert!(trouble.message().contains(words), "{reason}: {trouble:?}");
        }
    }
}
