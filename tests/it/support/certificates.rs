//! Certificates of a test's own making, as PEM files: an authority, and what it signs.

use std::fs;
use std::path::{Path, PathBuf};

use openssl::asn1::Asn1Time;
use openssl::bn::{BigNum, MsbOption};
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::x509::extension::{BasicConstraints, ExtendedKeyUsage, KeyUsage, SubjectAlternativeName};
use openssl::x509::{X509, X509Name, X509NameBuilder};

/// An authority: its certificate is what `ssl.ca.location` names.
pub struct Authority {
    certificate: X509,
    key: PKey<Private>,
    folder: PathBuf,
    name: String,
}

/// What a certificate is to be like.
#[derive(Clone, Copy)]
pub struct Leaf<'a> {
    /// File name and common name.
    pub name: &'a str,
    /// IP addresses and host names.
    pub hosts: &'a [&'a str],
    /// Begin and end of its time, in seconds from now.
    pub valid: (i64, i64),
}

impl<'a> Leaf<'a> {
    /// Of this moment and this machine.
    pub fn new(name: &'a str) -> Self {
        Self { name, hosts: &["127.0.0.1", "localhost"], valid: (-3600, 86_400) }
    }
}

/// The files of one certificate.
pub struct Pem {
    /// The certificate.
    pub certificate: PathBuf,
    /// Its key, not encrypted.
    pub key: PathBuf,
    /// Both, as Kafka's PEM key stores have them.
    pub store: PathBuf,
}

impl Authority {
    /// An authority whose files are in `folder`.
    pub fn new(folder: &Path, name: &str) -> Self {
        let key = new_key();
        let mut builder = X509::builder().unwrap();
        builder.set_version(2).unwrap();
        builder.set_serial_number(&serial()).unwrap();
        let subject = subject(name);
        builder.set_subject_name(&subject).unwrap();
        builder.set_issuer_name(&subject).unwrap();
        builder.set_not_before(&time(-7200)).unwrap();
        builder.set_not_after(&time(864_000)).unwrap();
        builder.set_pubkey(&key).unwrap();
        builder.append_extension(BasicConstraints::new().critical().ca().build().unwrap()).unwrap();
        builder.append_extension(KeyUsage::new().critical().key_cert_sign().crl_sign().build().unwrap()).unwrap();
        builder.sign(&key, MessageDigest::sha256()).unwrap();
        let authority = Self { certificate: builder.build(), key, folder: folder.to_owned(), name: name.to_owned() };
        fs::write(authority.path(), authority.certificate.to_pem().unwrap()).unwrap();
        authority
    }

    /// Its own certificate.
    pub fn path(&self) -> PathBuf {
        self.folder.join(format!("{}.pem", self.name))
    }

    /// Signs a certificate for a server and a client.
    pub fn sign(&self, leaf: Leaf<'_>) -> Pem {
        let key = new_key();
        let mut builder = X509::builder().unwrap();
        builder.set_version(2).unwrap();
        builder.set_serial_number(&serial()).unwrap();
        builder.set_subject_name(&subject(leaf.name)).unwrap();
        builder.set_issuer_name(self.certificate.subject_name()).unwrap();
        builder.set_not_before(&time(leaf.valid.0)).unwrap();
        builder.set_not_after(&time(leaf.valid.1)).unwrap();
        builder.set_pubkey(&key).unwrap();
        let usage = ExtendedKeyUsage::new().server_auth().client_auth().build().unwrap();
        builder.append_extension(usage).unwrap();
        let mut names = SubjectAlternativeName::new();
        for host in leaf.hosts {
            let _ = match host.parse::<std::net::IpAddr>() {
                Ok(_) => names.ip(host),
                Err(_) => names.dns(host),
            };
        }
        let names = names.build(&builder.x509v3_context(Some(&self.certificate), None)).unwrap();
        builder.append_extension(names).unwrap();
        builder.sign(&self.key, MessageDigest::sha256()).unwrap();
        let file = |ending: &str| self.folder.join(format!("{}{ending}.pem", leaf.name));
        let pem = Pem { certificate: file(""), key: file("-key"), store: file("-store") };
        let certificate = builder.build().to_pem().unwrap();
        let key = key.private_key_to_pem_pkcs8().unwrap();
        fs::write(&pem.certificate, &certificate).unwrap();
        fs::write(&pem.key, &key).unwrap();
        fs::write(&pem.store, [key, certificate].concat()).unwrap();
        pem
    }
}

fn new_key() -> PKey<Private> {
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
    PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap()
}

fn serial() -> openssl::asn1::Asn1Integer {
    let mut number = BigNum::new().unwrap();
    number.rand(120, MsbOption::MAYBE_ZERO, false).unwrap();
    number.to_asn1_integer().unwrap()
}

fn subject(name: &str) -> X509Name {
    let mut builder = X509NameBuilder::new().unwrap();
    builder.append_entry_by_nid(Nid::COMMONNAME, name).unwrap();
    builder.build()
}

fn time(seconds_from_now: i64) -> Asn1Time {
    let now = i64::try_from(std::time::UNIX_EPOCH.elapsed().unwrap().as_secs()).unwrap();
    Asn1Time::from_unix(now + seconds_from_now).unwrap()
}
