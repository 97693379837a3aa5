//! `okta_http`: the way to the orgs, and the proxy to the token endpoint. What it leaves open, the environment says as for every other program.

use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use super::section::{Context, Field, Section};
use super::{keys, text};
use crate::okta::origin::Origin;
use crate::okta::proxy::{CaFile, Network, NoProxy, Proxy, ProxyError};

/// The key, and in the environment's place the variables, the first that is set first.
const PROXY_URL: &str = "okta_http.proxy_url";
const PROXY_VARIABLES: [&str; 4] = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];
const NO_PROXY_VARIABLES: [&str; 2] = ["NO_PROXY", "no_proxy"];
/// All authorities of the web are a quarter of this.
const MAX_CA_BYTES: u64 = 1024 * 1024;

/// What was read, and what is wrong with the environment's proxy: that matters only to who would use it.
pub(super) struct OktaHttp {
    network: Network,
    bad_variable: Option<(&'static str, ProxyError)>,
    line: usize,
}

impl OktaHttp {
    /// The settings, for these orgs and whom else a proxy may lead to; `None` after a problem.
    pub fn for_orgs<'o>(
        self,
        context: &mut Context<'_>,
        mut orgs: impl Iterator<Item = &'o Origin>,
    ) -> Option<Network> {
        let Some((variable, error)) = self.bad_variable else { return Some(self.network) };
        // In the place of the one that cannot be read.
        let stand_in = Network { proxy: Proxy::parse("http://proxy", variable).ok(), ..self.network.clone() };
        let Some(org) = orgs.find(|org| stand_in.proxy_for(org).is_some()) else { return Some(self.network) };
        let message = format!(
            "environment variable `{variable}`, in place of this key: {error}; or name `{}` in `NO_PROXY`, to ask it directly",
            org.authority()
        );
        context.problem(PROXY_URL, self.line, message);
        None
    }
}

/// Reads the section, or only the environment; `None` after a problem.
pub(super) fn read(context: &mut Context<'_>, file: &Section<'_>) -> Option<OktaHttp> {
    let (mut proxy, mut ca, mut line) = (None, None, 1);
    let mut is_fine = true;
    if let Some(field) = file.get("okta_http") {
        let mut section = context.section(field)?;
        section.check_keys(context, keys::OKTA_HTTP);
        line = section.line;
        if let Some(field) = section.get("proxy_url") {
            line = field.line;
            match read_proxy(context, field) {
                Some(read) => proxy = read,
                None => is_fine = false,
            }
        }
        if let Some(field) = section.get("ca_file") {
            match read_ca(context, field) {
                Some(read) => ca = read,
                None => is_fine = false,
            }
        }
    }
    let variable = |names: &[&'static str]| {
        let set = |name: &&'static str| (context.env)(name).map(|value| (*name, value));
        names.iter().filter_map(set).find(|(_, value)| !value.trim().is_empty())
    };
    let no_proxy = variable(&NO_PROXY_VARIABLES).map_or_else(NoProxy::default, |(_, list)| NoProxy::parse(&list));
    let mut bad_variable = None;
    if proxy.is_none()
        && let Some((name, value)) = variable(&PROXY_VARIABLES)
    {
        match Proxy::parse(&value, name) {
            Ok(read) => proxy = Some(read),
            Err(error) => bad_variable = Some((name, error)),
        }
    }
    is_fine.then_some(OktaHttp { network: Network { proxy, no_proxy, ca }, bad_variable, line })
}

/// Empty is the same as absent, here and below: the default, written out.
fn read_proxy(context: &mut Context<'_>, field: &Field<'_>) -> Option<Option<Proxy>> {
    let text = context.text(field)?;
    if text.value.trim().is_empty() {
        return Some(None);
    }
    match Proxy::parse(&text.value, PROXY_URL) {
        Ok(proxy) => {
            if proxy.has_login() && text.template.is_literal() {
                let message =
                    "the proxy's login stands in the file itself: better write `${env:NAME}` or `${file:PATH}`";
                context.warning(&field.path, field.node.line, message);
            }
            Some(Some(proxy))
        }
        Err(error) => {
            context.refuse(field, error.to_string());
            None
        }
    }
}

pub(super) fn read_ca(context: &mut Context<'_>, field: &Field<'_>) -> Option<Option<CaFile>> {
    let text = context.text(field)?;
    if text.value.is_empty() {
        return Some(None);
    }
    match certificates(Path::new(&text.value)) {
        Ok(certificates) => Some(Some(CaFile { certificates: Arc::new(certificates) })),
        Err(problem) => {
            let path = if text.template.is_literal() { text::path(Path::new(&text.value)) } else { text.shown() };
            context.refuse(field, format!("`{path}` {problem}"));
            None
        }
    }
}

/// The certificates of a PEM file, each as DER, tried as a root.
fn certificates(path: &Path) -> Result<Vec<Vec<u8>>, String> {
    const FIX: &str = "name a PEM file with the certificate of the authority, `-----BEGIN CERTIFICATE-----` and so on";
    let mut pem = Vec::new();
    let read = std::fs::File::open(path).and_then(|file| file.take(MAX_CA_BYTES + 1).read_to_end(&mut pem));
    if let Err(error) = read {
        return Err(format!("cannot be read: {error}: check the path and its permissions"));
    }
    if pem.len() as u64 > MAX_CA_BYTES {
        return Err(format!("is larger than 1 MiB: {FIX}"));
    }
    let mut found = Vec::new();
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        let number = found.len() + 1;
        let certificate = certificate.map_err(|_| format!("has a broken certificate, number {number}: {FIX}"))?;
        RootCertStore::empty()
            .add(certificate.clone())
            .map_err(|_| format!("holds something else than an X.509 certificate, as number {number}: {FIX}"))?;
        found.push(certificate.to_vec());
    }
    if found.is_empty() {
        return Err(format!("holds no certificate: {FIX}"));
    }
    Ok(found)
}
