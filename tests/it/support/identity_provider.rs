//! An identity provider: a token endpoint for client credentials, over HTTP and HTTPS, and the keys that its tokens are
//! signed with.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use openssl::bn::BigNumContext;
use openssl::ec::{EcGroup, EcKey};
use openssl::ecdsa::EcdsaSig;
use openssl::hash::{MessageDigest, hash};
use openssl::nid::Nid;
use openssl::pkey::Private;
use openssl::ssl::{SslAcceptor, SslFiletype, SslMethod};
use serde_json::{Value, json};

use super::certificates::Pem;

pub const CLIENT_ID: &str = "okta-kafka-source";
/// Nothing that could stand anywhere by chance.
pub const CLIENT_SECRET: &str = "Wd5zLk8sTq3VnYh7RmXc2BgJpF4a";
/// For `/token/encoded` alone: only a header that is form-encoded (RFC 6749, 2.3.1) tells them apart.
pub const ODD_ID: &str = "kafka:eu";
pub const ODD_SECRET: &str = "50%+ü Wd5zLk8sTq3VnYh7";
pub const AUDIENCE: &str = "kafka-of-the-tests";
pub const SCOPE: &str = "kafka.produce";

/// A provider on threads of its own; they end with the test process.
pub struct IdentityProvider {
    shared: Arc<Shared>,
    http: u16,
    https: u16,
}

struct Shared {
    key: EcKey<Private>,
    issuer: String,
    /// How long a token holds, in seconds.
    life: AtomicUsize,
    refuses: AtomicBool,
    tokens: Mutex<Vec<String>>,
}

impl IdentityProvider {
    /// Serves HTTPS with this certificate, on ports of its own.
    pub fn start(certificate: &Pem) -> Self {
        let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
        let (plain, tls) = (TcpListener::bind("127.0.0.1:0").unwrap(), TcpListener::bind("127.0.0.1:0").unwrap());
        let (http, https) = (plain.local_addr().unwrap().port(), tls.local_addr().unwrap().port());
        let shared = Arc::new(Shared {
            key: EcKey::generate(&group).unwrap(),
            issuer: format!("http://127.0.0.1:{http}"),
            life: AtomicUsize::new(10),
            refuses: AtomicBool::new(false),
            tokens: Mutex::default(),
        });
        let mut acceptor = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls()).unwrap();
        acceptor.set_certificate_chain_file(&certificate.certificate).unwrap();
        acceptor.set_private_key_file(&certificate.key, SslFiletype::PEM).unwrap();
        let acceptor = acceptor.build();
        let (on_http, on_https) = (Arc::clone(&shared), Arc::clone(&shared));
        let _ = std::thread::spawn(move || {
            for stream in plain.incoming().flatten() {
                let shared = Arc::clone(&on_http);
                let _ = std::thread::spawn(move || shared.serve(stream));
            }
        });
        let _ = std::thread::spawn(move || {
            for stream in tls.incoming().flatten() {
                let (shared, acceptor) = (Arc::clone(&on_https), acceptor.clone());
                let _ = std::thread::spawn(move || acceptor.accept(stream).map(|stream| shared.serve(stream)));
            }
        });
        Self { shared, http, https }
    }

    /// A URL over HTTP: `/token`, or `/token/` and what is wrong with it.
    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.http)
    }

    /// The same over HTTPS.
    pub fn https_url(&self, path: &str) -> String {
        format!("https://127.0.0.1:{}{path}", self.https)
    }

    /// `iss` of its tokens.
    pub fn issuer(&self) -> &str {
        &self.shared.issuer
    }

    /// From now on tokens hold so long.
    pub fn set_life(&self, seconds: usize) {
        self.shared.life.store(seconds, Ordering::SeqCst);
    }

    /// Whether it answers 401 to everybody.
    pub fn set_refuses(&self, refuses: bool) {
        self.shared.refuses.store(refuses, Ordering::SeqCst);
    }

    /// All tokens that it gave.
    pub fn tokens(&self) -> Vec<String> {
        self.shared.tokens.lock().unwrap().clone()
    }

    /// Waits until it has given so many more.
    pub fn await_tokens(&self, more: usize, timeout: Duration) {
        let (goal, deadline) = (self.tokens().len() + more, Instant::now() + timeout);
        while self.tokens().len() < goal {
            assert!(Instant::now() < deadline, "{} tokens instead of {goal}", self.tokens().len());
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Shared {
    fn serve(&self, mut stream: impl Read + Write) {
        let mut reader = BufReader::new(&mut stream);
        let (mut line, mut length, mut authorization) = (String::new(), 0, String::new());
        let _ = reader.read_line(&mut line).unwrap();
        let target = line.split(' ').nth(1).unwrap_or_default().to_owned();
        loop {
            let mut header = String::new();
            if reader.read_line(&mut header).unwrap_or_default() <= 2 {
                break;
            }
            let (name, value) = header.trim().split_once(": ").unwrap_or_default();
            match name.to_ascii_lowercase().as_str() {
                "content-length" => length = value.parse().unwrap(),
                "authorization" => authorization = value.to_owned(),
                _ => {}
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).unwrap();
        let (status, answer) = self.answer(&target, &authorization, &String::from_utf8(body).unwrap());
        let _ = write!(
            stream,
            "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{answer}",
            answer.len()
        );
        let _ = stream.flush();
    }

    fn answer(&self, target: &str, authorization: &str, body: &str) -> (&'static str, String) {
        if target == "/keys" {
            return ("200 OK", self.keys().to_string());
        }
        let known = match target {
            "/token/encoded" => "kafka%3Aeu:50%25%2B%C3%BC+Wd5zLk8sTq3VnYh7".to_owned(),
            _ => format!("{CLIENT_ID}:{CLIENT_SECRET}"),
        };
        let known = openssl::base64::encode_block(known.as_bytes());
        if authorization != format!("Basic {known}") || self.refuses.load(Ordering::SeqCst) {
            let error = json!({"error": "invalid_client", "error_description": format!("not {authorization}")});
            return ("401 Unauthorized", error.to_string());
        }
        let asked = body.split('&').any(|pair| pair == "grant_type=client_credentials");
        if !asked || !body.split('&').any(|pair| pair == format!("scope={SCOPE}")) {
            return ("400 Bad Request", json!({"error": "invalid_scope"}).to_string());
        }
        match target {
            "/token" | "/token/encoded" => ("200 OK", self.token(AUDIENCE)),
            "/token/for-ever" => {
                let mut answer: Value = serde_json::from_str(&self.token(AUDIENCE)).unwrap();
                answer["expires_in"] = json!(u64::MAX);
                ("200 OK", answer.to_string())
            }
            "/token/of-another-audience" => ("200 OK", self.token("another")),
            "/token/busy" => ("503 Service Unavailable", String::new()),
            "/token/login-page" => ("200 OK", "<html>Please log in</html>".to_owned()),
            _ => ("404 Not Found", "<html>Not found</html>".to_owned()),
        }
    }

    fn token(&self, audience: &str) -> String {
        let life = self.life.load(Ordering::SeqCst);
        let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_millis();
        let (now, millis) = (usize::try_from(now / 1000).unwrap(), now);
        let header = json!({"alg": "ES256", "kid": "key", "typ": "JWT"});
        let claims = json!({
            "iss": self.issuer, "aud": audience, "sub": CLIENT_ID, "scope": SCOPE, "iat": now, "exp": now + life,
            "jti": millis.to_string(),
        });
        let signed = format!("{}.{}", url64(header.to_string().as_bytes()), url64(claims.to_string().as_bytes()));
        let digest = hash(MessageDigest::sha256(), signed.as_bytes()).unwrap();
        let signature = EcdsaSig::sign(&digest, &self.key).unwrap();
        let halves = [signature.r(), signature.s()].map(|half| half.to_vec_padded(32).unwrap());
        let token = format!("{signed}.{}", url64(&halves.concat()));
        self.tokens.lock().unwrap().push(token.clone());
        json!({"access_token": token, "token_type": "Bearer", "expires_in": life, "scope": SCOPE}).to_string()
    }

    fn keys(&self) -> Value {
        let (mut x, mut y) = (openssl::bn::BigNum::new().unwrap(), openssl::bn::BigNum::new().unwrap());
        let mut context = BigNumContext::new().unwrap();
        self.key.public_key().affine_coordinates(self.key.group(), &mut x, &mut y, &mut context).unwrap();
        let [x, y] = [x, y].map(|number| url64(&number.to_vec_padded(32).unwrap()));
        json!({"keys": [{"kty": "EC", "crv": "P-256", "kid": "key", "use": "sig", "alg": "ES256", "x": x, "y": y}]})
    }
}

/// RFC 4648, section 5, without padding.
fn url64(bytes: &[u8]) -> String {
    openssl::base64::encode_block(bytes).trim_end_matches('=').replace('+', "-").replace('/', "_")
}
